import type { Hash, Subject } from '@hexachord/protocol/names'
import { subjectToBytes32 } from '@hexachord/protocol/names'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { JsonRpcProvider } from 'ethers'
import { type HexachordCommand, hexachordCommand } from './hexachord-command.ts'
import { makeRecording } from './recordings.ts'

const network = testNetwork()
const { discovery, creator, chain } = network.urls
let folder: TemporaryFolder
let command: HexachordCommand

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  command = await hexachordCommand(network, folder.path)
  await command.answer('key', 'new')
}, 30_000)
afterAll(() => folder?.remove())

type Release = {
  hash: Hash
  holdUntilMs: number
  state: string
  node: string
  subject: Subject
  title: string
}
type Scheduled = { track: Subject; release: Release; before: boolean }

const inSeconds = (seconds: number) =>
  new Date(Math.ceil(Date.now() / 1_000 + seconds) * 1_000).toISOString().replace('.000', '')
const song = (name: string, title: string) =>
  makeRecording(folder.path, { name, seconds: 7, tags: { title, artist: 'Later' } })
const upload = (...args: string[]) =>
  ['upload', ...args, '--i-hold-the-rights', '--licence', 'CC0-1.0'] as const

async function releases(): Promise<Release[]> {
  return (await command.answer<{ items: Release[] }>('releases')).items
}

/** All that somebody can find who is told the very name. */
async function found(track: Subject, words: string) {
  const provider = new JsonRpcProvider(chain, undefined, { staticNetwork: true })
  try {
    const logs = await provider.getLogs({
      ...{ fromBlock: 0, toBlock: 'latest' },
      topics: [null, null, null, subjectToBytes32(track)],
    })
    const page = await fetch(`${discovery}/v1/tracks/${track}`)
    const search = await (await fetch(`${discovery}/v1/search?q=${words}`)).json()
    const listed = await (await fetch(`${discovery}/v1/tracks?author=${track.split('-')[0]}`)).json()
    const ids = [...search.tracks, ...listed.items].map(({ id }: { id: Subject }) => id)
    return { logs: logs.length, status: page.status, listed: ids.includes(track) }
  } finally {
    provider.destroy()
  }
}

describe('a track that waits for its release', () => {
  test('is found nowhere before its time, and by everybody after it', async () => {
    const file = await song('later', 'Unheard of')
    const args = upload(file, '--release', inSeconds(25))
    const { track, release, before } = await command.answer<Scheduled>(...args)
    expect({ state: release.state, before }).toEqual({ state: 'waiting', before: false })
    expect(await found(track, 'unheard')).toEqual({ logs: 0, status: 404, listed: false })
    // Nobody else is told anything, by its name either.
    expect((await fetch(`${creator}/releases/${release.hash}`)).status).toBe(401)
    expect((await fetch(`${creator}/actions/${release.hash}`)).status).toBe(404)
    expect(await releases()).toMatchObject([{ hash: release.hash, state: 'waiting', title: 'Unheard of' }])

    const again = await command.answer<Scheduled>(...args)
    expect(again).toMatchObject({ track, before: true, release: { hash: release.hash } })
    const impatient = await command.run(...upload(file))
    expect(impatient).toMatchObject({ code: 2, err: expect.stringContaining('waits at') })
    expect(Date.now()).toBeLessThan(release.holdUntilMs)
    expect(await found(track, 'unheard')).toEqual({ logs: 0, status: 404, listed: false })

    await eventually(() => found(track, 'unheard'), {
      ...{ describe: 'the track is found', deadlineMs: 60_000, everyMs: 250 },
      until: ({ status, listed }) => status === 200 && listed,
    })
    expect(Date.now()).toBeGreaterThanOrEqual(release.holdUntilMs)
    expect((await command.run('play', track, '--output', 'null')).code).toBe(0)
    expect(await releases()).toMatchObject([{ hash: release.hash, state: 'sent' }])
    // The same command finds it published, though its time is past.
    expect(await command.answer(...args)).toMatchObject({ track, reused: true })
  }, 120_000)

  test('can be put off, and withdrawn, and then published at once', async () => {
    const file = await song('withdrawn', 'Perhaps never')
    const first = await command.answer<Scheduled>(...upload(file, '--release', inSeconds(3_600)))
    const second = await command.answer<Scheduled>(...upload(file, '--release', inSeconds(20 * 86_400)))
    expect(second.track).toBe(first.track)
    expect(second.release.hash).not.toBe(first.release.hash)
    const waiting = (await releases()).filter(({ state }) => state === 'waiting')
    expect(waiting.map(({ hash }) => hash)).toEqual([second.release.hash])

    expect((await command.run('releases', 'cancel', first.release.hash)).code).toBe(2)
    await command.answer('releases', 'cancel', second.release.hash)
    expect((await releases()).filter(({ state }) => state === 'waiting')).toEqual([])
    expect(await command.answer(...upload(file))).toMatchObject({ track: first.track })
    expect(await found(first.track, 'perhaps')).toEqual({ logs: 1, status: 200, listed: true })
  }, 120_000)

  test('comes with its album', async () => {
    const files = await Promise.all([song('side-1', 'Side one'), song('side-2', 'Side two')])
    const args = upload(...files, '--album', 'Both sides', '--release', inSeconds(30))
    type Album = { album: Subject; files: Scheduled[] }
    const { album, files: scheduled } = await command.answer<Album>(...args)
    expect(scheduled.map(({ release }) => release.state)).toEqual(['waiting', 'waiting'])
    expect((await fetch(`${discovery}/v1/playlists/${album}`)).status).toBe(404)
    const playlist = await eventually(
      async () => {
        const answer = await fetch(`${discovery}/v1/playlists/${album}`)
        return answer.status === 200 ? ((await answer.json()) as { tracks: { id: Subject }[] }) : undefined
      },
      {
        ...{ describe: 'the album is found', deadlineMs: 90_000, everyMs: 250 },
        until: (found) => found?.tracks.length === 2,
      },
    )
    expect(playlist?.tracks.map(({ id }) => id)).toEqual(scheduled.map(({ track }) => track))
  }, 150_000)

  test.each([
    ['a time without a zone', ['--release', '2030-01-01T00:00'], 'a time with its zone'],
    ['a day that is none', ['--release', '2030-02-30T00:00Z'], 'no such time'],
    ['a time that is past', ['--release', '2020-01-01T00:00Z'], 'is past'],
    ['a time in years', ['--release', '2036-01-01T00:00Z'], 'at most 30 days ahead'],
    [
      'keys that nobody could have yet',
      ['--release', inSeconds(3_600), '--premium', '--price', '1'],
      '--premium',
    ],
  ])('is not uploaded for %s', async (_, options, message) => {
    const file = await song('never', 'Never')
    const { code, err } = await command.run(...upload(file, ...options))
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) })
    expect((await command.run('uploads')).out).toBe('everything is finished\n')
  })
})
