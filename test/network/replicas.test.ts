import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { findTrack, listTracks, search } from '@hexachord/sdk/finding'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { sendToChain, signed, verdictOf } from './direct-to-chain.ts'
import { wholeTrackOf } from './node-blocks.ts'
import { refused } from './problems.ts'
import { decodedMs, makeRecording } from './recordings.ts'

const network = testNetwork()
const { discovery, content } = network.urls
/** A word that no other file of tests uses. */
const word = `quixotry${Date.now().toString(36)}`

const words = { title: word, artist: 'Test artist', licence: 'CC0-1.0', rightsHeld: true } as const

let folder: TemporaryFolder
let artist: Artist
let upload: UploadAnswer
let track: Track

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'replicated', seconds: 7 })
  ;({ upload, track } = await artist.release(file, { title: word }))
}, 90_000)
afterAll(() => folder?.remove())

type Duty = { duty: number; held: number; missing: number; releasing: number }

async function dutiesOf(signal = AbortSignal.timeout(5_000)): Promise<Duty[]> {
  return Promise.all(
    content.map(async (origin) => {
      const response = await fetch(`${origin}/status`, { signal })
      return (await response.json()) as Duty
    }),
  )
}

/** Waits until every content service tells of a duty that will do. */
function duties(describe: string, until: (duty: Duty, index: number) => boolean): Promise<Duty[]> {
  return eventually((signal) => dutiesOf(signal), {
    describe,
    deadlineMs: 20_000,
    until: (all) => all.every(until),
  })
}

describe('a published track', () => {
  test('is the duty of each of its three holders, and held', async () => {
    await duties(
      'duty and nothing missing',
      ({ duty, held, missing }) => duty > 0 && held === duty && missing === 0,
    )
  })

  test('that is uploaded once more gets the same blocks, and no second copy of them', async () => {
    const before = await wholeTrackOf(content[0] ?? '', track.manifest)
    const again = await artist.upload(`${folder.path}/replicated.flac`)
    expect(again.track).toEqual(upload.track)
    expect(again.subject).not.toBe(upload.subject)
    expect((await wholeTrackOf(content[0] ?? '', track.manifest)).blocks).toBe(before.blocks)
  })
})

describe('new audio under an old name', () => {
  test('replaces what is played, keeps the name, and releases the old blocks in their time', async () => {
    const before = await dutiesOf()
    const file = await makeRecording(folder.path, { name: 'second take', seconds: 9, format: 'm4a' })
    const take = await artist.upload(file, { subject: track.id })
    const replaced = await artist.publish(take, { title: `${word} again` })
    expect(replaced).toMatchObject({ id: track.id, createdAtMs: track.createdAtMs })
    expect(replaced.manifest).not.toBe(track.manifest)
    await duties('the old audio on its way out, the new one held', ({ duty, held, releasing }, index) => {
      const old = before[index] ?? { duty: 0, releasing: 0 }
      return duty === old.duty && held === duty && releasing === old.releasing + 1
    })
    for (const origin of content) {
      // Whoever plays it now plays on.
      await wholeTrackOf(origin, track.manifest)
      await wholeTrackOf(origin, replaced.manifest)
    }
    const stream = `${discovery}/v1/tracks/${track.id}/stream`
    expect(Math.abs((await decodedMs(stream)) - 9_000)).toBeLessThan(250)
    track = replaced
  }, 60_000)
})

describe('a deleted track', () => {
  test('is gone from every list, for good, and stops being anybody’s duty', async () => {
    const before = await dutiesOf()
    await artist.write('delete', track.id, { prev: track.last.digest })
    for (const path of ['', '/stream']) {
      expect(
        (await refused(`${discovery}/v1/tracks/${track.id}${path}`, { redirect: 'manual' })).status,
      ).toBe(410)
    }
    await expect(findTrack(artist.connection, track.id)).rejects.toMatchObject({ status: 410 })
    expect((await listTracks(artist.connection, { author: artist.account.address })).items).toEqual([])
    expect((await search(artist.connection, word)).tracks).toEqual([])
    await duties('the track on its way out', ({ duty, releasing }, index) => {
      const old = before[index] ?? { duty: 0, releasing: 0 }
      return duty === old.duty - 1 && releasing === old.releasing + 1
    })
  })

  test('still plays for those who are listening, from each holder', async () => {
    for (const origin of content) {
      const master = `${origin}/hls/${track.manifest}/master.m3u8`
      expect(Math.abs((await decodedMs(master)) - 9_000)).toBeLessThan(250)
    }
  })

  test('cannot be brought back under its number', async () => {
    const again = artist.upload(`${folder.path}/second take.m4a`, { subject: track.id, patienceMs: 2_000 })
    await expect(again).rejects.toMatchObject({ status: 409, problem: 'urn:hexachord:problem:deleted' })
    const { hash, ...action } = await signed(artist, {
      kind: 'track',
      subject: track.id,
      content: { prev: null, ...upload.track, receipts: [], ...words },
    })
    await sendToChain(network, action)
    expect(await verdictOf(discovery, hash)).toMatchObject({ status: 'rejected' })
    expect((await refused(`${discovery}/v1/tracks/${track.id}`)).status).toBe(410)
  }, 60_000)
})
