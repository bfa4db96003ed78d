import { listOf, type Notice, noticeSchema, type Track } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type AnotherProvider, startAnotherProvider, untilSameState } from './another-provider.ts'
import { newArtist } from './artist.ts'
import { type HexachordCommand, hexachordCommand } from './hexachord-command.ts'
import { refused } from './problems.ts'
import { makeRecording } from './recordings.ts'

jest.setTimeout(90_000)

/** The provider of the network honours nobody. */
const network = testNetwork()
const { discovery } = network.urls
/** A word that no other file of tests uses. */
const word = `contested${Date.now().toString(36)}`
const claim = ['--ground', 'copyright', '--statement', 'It is ours', '--yes']

let folder: TemporaryFolder
let track: Track
let office: HexachordCommand
let address: string
let honouring: AnotherProvider
let made: { notice: string; action: string }

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  office = await hexachordCommand(network, folder.path)
  ;({ address } = await office.answer<{ address: string }>('key', 'new'))
  honouring = await startAnotherProvider(network, `honouring_${Date.now()}`, { HONOUR_NOTICES_OF: address })
  const artist = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'contested', seconds: 3, format: 'm4a' })
  ;({ track } = await artist.release(file, { title: `Title ${word}`, tags: [word] }))
})
afterAll(async () => {
  await honouring?.remove()
  await folder?.remove()
})

async function statusAt(origin: string, path: string, signal?: AbortSignal): Promise<number> {
  const response = await fetch(origin + path, {
    signal: signal ?? AbortSignal.timeout(5_000),
    redirect: 'manual',
  })
  await response.arrayBuffer()
  return response.status
}

/** A provider that is not there yet answers nothing. */
const untilTrackIs = (origin: string, status: number) =>
  eventually((signal) => statusAt(origin, `/v1/tracks/${track.id}`, signal), {
    describe: `${status} for the track at ${origin}`,
    deadlineMs: 60_000,
    until: (answered) => answered === status,
  })

const json = async (origin: string, path: string): Promise<unknown> =>
  (await fetch(origin + path, { signal: AbortSignal.timeout(5_000) })).json()

const found = async (origin: string) =>
  ((await json(origin, `/v1/search?q=${word}`)) as { tracks: Track[] }).tracks.map(({ id }) => id)

const noticesAt = async (origin: string): Promise<readonly Notice[]> =>
  listOf(noticeSchema).parse(await json(origin, `/v1/notices?track=${track.id}`)).items

describe('a discovery provider that honours the notices of an office', () => {
  test('shows a track like any other until the office claims it', async () => {
    await untilTrackIs(honouring.origin, 200)
    expect(await found(honouring.origin)).toEqual([track.id])
  })

  test('drops it, and says by whose notice; another provider still shows it', async () => {
    made = await office.answer('notice', track.id, ...claim)
    await untilTrackIs(honouring.origin, 410)
    for (const path of [`/v1/tracks/${track.id}`, `/v1/tracks/${track.id}/stream`, `/tracks/${track.id}`]) {
      const refusal = await refused(honouring.origin + path)
      expect([path, refusal.status, refusal.problem]).toEqual([path, 410, 'taken-down'])
      expect(refusal.detail).toContain(made.notice)
    }
    expect(await found(honouring.origin)).toEqual([])
    expect(await statusAt(discovery, `/v1/tracks/${track.id}`)).toBe(200)
    expect(await statusAt(discovery, `/v1/tracks/${track.id}/stream`)).toBe(302)
    expect(await found(discovery)).toEqual([track.id])
    const notice = { id: made.notice, author: address.toLowerCase(), statement: 'It is ours' }
    expect(await noticesAt(honouring.origin)).toMatchObject([{ ...notice, honoured: true }])
    expect(await noticesAt(discovery)).toMatchObject([{ ...notice, honoured: false }])
  })

  test('has the same state as the one that does not', async () => {
    await untilSameState(honouring.origin, discovery)
    expect(await statusAt(honouring.origin, `/v1/tracks/${track.id}`)).toBe(410)
  })

  test('shows it again when the office withdraws the notice', async () => {
    await office.answer('notice', '--withdraw', made.action)
    await untilTrackIs(honouring.origin, 200)
    expect(await found(honouring.origin)).toEqual([track.id])
    expect(await noticesAt(discovery)).toEqual([])
  })

  test('shows it again when it starts with another choice', async () => {
    await office.answer('notice', track.id, ...claim)
    await untilTrackIs(honouring.origin, 410)
    await honouring.restart()
    await untilTrackIs(honouring.origin, 200)
    expect(await noticesAt(honouring.origin)).toMatchObject([{ honoured: false }])
    await honouring.restart({ HONOUR_NOTICES_OF: address })
    await untilTrackIs(honouring.origin, 410)
    await untilSameState(honouring.origin, discovery)
  })
})
