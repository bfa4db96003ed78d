import { playTrack } from '@hexachord/cli/playing'
import { renditionName } from '@hexachord/protocol/manifests'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { findTrack } from '@hexachord/sdk/finding'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { wholeTrackOf } from './node-blocks.ts'
import { fetchPlaylist } from './playlists.ts'
import { decodedMs, makeRecording } from './recordings.ts'

const network = testNetwork()
const seconds = 20
const segmentMs = 6_000

let folder: TemporaryFolder
let artist: Artist
let upload: UploadAnswer
let track: Track

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'main-job', seconds, tags: { title: 'Main job' } })
  ;({ upload, track } = await artist.release(file, { title: 'Main job' }))
}, 90_000)
afterAll(() => folder?.remove())

describe('a published file', () => {
  test('has three replicas, on the three operators that have room', () => {
    const withRoom = network.operators
      .slice(1)
      .map(({ address, endpoint }) => [address.toLowerCase(), endpoint])
    expect(new Map(track.holders.map(({ operator, endpoint }) => [operator, endpoint]))).toEqual(
      new Map(withRoom.map(([operator, endpoint]) => [operator, endpoint])),
    )
  })

  test('is described as its file was', () => {
    expect(upload.tags?.title).toBe('Main job')
    expect(upload.source).toMatchObject({ codec: 'flac', sampleRateHz: 44_100, channels: 2, lossless: true })
    expect(Math.abs(track.durationMs - seconds * 1000)).toBeLessThan(100)
    expect(track).toMatchObject({ title: 'Main job', author: artist.account.address, unlisted: false })
  })

  test.each(network.operators.slice(1))(
    'is served whole by $name: every block of it, with the right hash',
    async (node) => {
      const { blocks, storage } = await wholeTrackOf(node.endpoint, track.manifest)
      expect(blocks).toBeGreaterThan(seconds / 6)
      const { storageRoot: root, leafCount, byteLength } = track
      expect(storage).toEqual({ root, leafCount, byteLength })
    },
  )

  test('is served whole by the creator node too, which is nobody’s holder', async () => {
    const { storage } = await wholeTrackOf(network.urls.creator, track.manifest)
    expect(storage.root).toBe(track.storageRoot)
  })

  test('has a receipt of each holder for just this manifest and this storage root', async () => {
    expect(upload.receipts).toHaveLength(3)
    for (const receipt of upload.receipts) {
      const { id: subject, manifest, storageRoot, leafCount, byteLength } = track
      expect(receipt).toMatchObject({ subject, manifest, storageRoot, leafCount, byteLength })
    }
    for (const { operator, endpoint } of track.holders) {
      const response = await fetch(`${endpoint}/manifests/${track.manifest}/receipts`)
      const { items } = (await response.json()) as { items: { operator: string; signature: string }[] }
      const own = items.find((receipt) => receipt.operator === operator)
      expect(own?.signature).toBe(upload.receipts.find((receipt) => receipt.operator === operator)?.signature)
    }
  })

  test('is what the chain says of it, and discovery says where', async () => {
    // Whether it is encrypted is known once its manifest was read.
    const found = await eventually(() => findTrack(artist.connection, track.id), {
      describe: 'what the manifest says',
      deadlineMs: 20_000,
      until: ({ premium }) => premium !== null,
    })
    expect(found).toEqual({ ...track, premium: false })
    const answer = await fetch(`${network.urls.discovery}/v1/actions/${track.last.digest}`)
    expect(await answer.json()).toMatchObject({
      status: 'applied',
      subject: track.id,
      block: track.last.block,
      logIndex: track.last.logIndex,
    })
  })
})

describe('a listener', () => {
  test('hears every segment, none with a wrong hash, and the whole length', async () => {
    const report = await playTrack(artist.connection, track, { output: 'null' })
    expect(report.segmentsPlayed).toBe(Math.ceil((seconds * 1000) / segmentMs))
    expect(report.hashFailures).toBe(0)
    expect(Math.abs((report.decodedMs ?? 0) - seconds * 1000)).toBeLessThan(250)
    expect(report.ms.firstAudio).toBeGreaterThan(0)
  })

  test('can have each rendition, each as long as the track', async () => {
    const { track: loaded } = await wholeTrackOf(network.urls.creator, track.manifest)
    expect(loaded.renditions.map(({ codec }) => codec)).toEqual(['fLaC', ...Array(3).fill('mp4a.40.2')])
    for (const [index, { segments }] of loaded.renditions.entries()) {
      const rendition = renditionName(loaded, index)
      const report = await playTrack(artist.connection, track, { output: 'null', rendition })
      expect(report).toMatchObject({ rendition, hashFailures: 0, segmentsPlayed: segments.length })
      expect(Math.abs((report.decodedMs ?? 0) - seconds * 1000)).toBeLessThan(250)
    }
  })

  test('with any HLS player is sent to a holder, whose playlists break no rule, and hears all of it', async () => {
    const stream = `${network.urls.discovery}/v1/tracks/${track.id}/stream`
    const response = await fetch(stream, { redirect: 'manual' })
    expect(response.status).toBe(302)
    const target = new URL(response.headers.get('location') ?? '')
    expect(track.holders.map(({ endpoint }) => endpoint)).toContain(target.origin)
    expect(Math.abs((await decodedMs(stream)) - seconds * 1000)).toBeLessThan(250)
  })

  test('finds each rendition once per holder in each master playlist', async () => {
    for (const { endpoint } of network.operators) {
      const master = await fetchPlaylist(`${endpoint}/hls/${track.manifest}/master.m3u8`)
      const origins = new Set(master.uris.map((uri) => new URL(uri).origin))
      const holders = track.holders.map((holder) => holder.endpoint)
      expect([...origins].sort()).toEqual([...new Set([endpoint, ...holders])].sort())
      const counts = await Promise.all(master.uris.map(async (uri) => (await fetchPlaylist(uri)).uris.length))
      // The init block is named too.
      const segments = new Set(upload.renditions.map((rendition) => rendition.segments + 1))
      expect(new Set(counts)).toEqual(segments)
    }
  })

  test.each(network.operators)('gets the whole sound out of the playlists of $name', async ({ endpoint }) => {
    const master = `${endpoint}/hls/${track.manifest}/master.m3u8`
    expect(Math.abs((await decodedMs(master)) - seconds * 1000)).toBeLessThan(250)
  })
})
