import { describe, expect, test } from '@jest/globals'
import { cidOf, linkTo } from '../cids/index.ts'
import { exampleTrack } from '../vectors/index.ts'
import {
  blocksOf,
  decodeManifest,
  decodeRendition,
  encodeManifest,
  encodeRendition,
  type LoadedTrack,
  loadTrack,
  type Manifest,
  ManifestError,
  type Rendition,
  renditionName,
} from './index.ts'

const { track, blocks } = await exampleTrack()
const { manifest } = track
const [, , aac] = track.renditions
if (!aac) throw new Error('the example track has three renditions')
const { cid: aacCid, byteLength: _, ...rendition } = aac
const raw = rendition.init.data
const dagJson = linkTo(track.cid)

describe('a manifest', () => {
  test('comes back from its bytes as it was', () => {
    expect(decodeManifest(encodeManifest(manifest))).toEqual(manifest)
    expect(encodeManifest(decodeManifest(encodeManifest(manifest)))).toEqual(blocks.get(track.cid))
    const bare: Manifest = { v: 1, kind: 'track', durationMs: 1, renditions: [dagJson] }
    expect(decodeManifest(encodeManifest(bare))).toEqual(bare)
  })

  test.each<[string, object]>([
    ['another version', { v: 2 }],
    ['another kind', { kind: 'rendition' }],
    ['no rendition', { renditions: [] }],
    ['thirteen renditions', { renditions: Array.from({ length: 13 }, () => dagJson) }],
    ['bytes as a rendition', { renditions: [raw] }],
    ['no length', { durationMs: 0 }],
    ['a fraction of a millisecond', { durationMs: 1.5 }],
    ['more than ten hours', { durationMs: 36_000_001 }],
    ['a member that we do not know', { title: 'Song' }],
    ['a block of links as a cover', { cover: [{ ...manifest.cover?.[0], image: dagJson }] }],
    [
      'a picture of a type that not every browser shows',
      { cover: [{ ...manifest.cover?.[0], type: 'image/tiff' }] },
    ],
    ['a cover larger than a block', { cover: [{ ...manifest.cover?.[0], byteLength: 1_048_577 }] }],
    ['a block of links as a waveform', { waveform: { data: dagJson, byteLength: 1 } }],
    ['a negative range of loudness', { loudness: { ...manifest.loudness, rangeMilliLu: -1 } }],
  ])('is refused with %s', (_, change) => {
    const changed = { ...manifest, ...change }
    expect(() => encodeManifest(changed as Manifest)).toThrow(ManifestError)
    expect(() => decodeManifest(new TextEncoder().encode(sortedJson(changed)))).toThrow(ManifestError)
  })

  test('says which member is wrong', () => {
    expect(() => encodeManifest({ ...manifest, durationMs: -5 })).toThrow(/^not a manifest: durationMs /)
    expect(() => encodeRendition({ ...rendition, segments: [[1, 0, raw]] })).toThrow(/segments\.0\.1/)
  })
})

describe('a rendition', () => {
  test('comes back from its bytes as it was', () => {
    expect(decodeRendition(encodeRendition(rendition))).toEqual(rendition)
    expect(encodeRendition(rendition)).toEqual(blocks.get(aacCid))
  })

  test.each<[string, object]>([
    ['no segment', { segments: [] }],
    ['a segment of no length', { segments: [[0, 1, raw]] }],
    ['a segment of no bytes', { segments: [[1, 0, raw]] }],
    ['a segment larger than a block', { segments: [[1, 1_048_577, raw]] }],
    ['a segment that is a block of links', { segments: [[1, 1, dagJson]] }],
    ['12,001 segments', { segments: Array.from({ length: 12_001 }, () => [1, 1, raw]) }],
    ['another container', { container: 'ts' }],
    ['a codec that is none', { codec: 'aac' }],
    ['a codec that would break a playlist', { codec: 'mp4a"\n#EXT' }],
    ['nine channels', { channels: 9 }],
    ['no timescale', { timescale: 0 }],
  ])('is refused with %s', (_, change) => {
    const changed = { ...rendition, ...change }
    expect(() => encodeRendition(changed as Rendition)).toThrow(ManifestError)
    expect(() => decodeRendition(new TextEncoder().encode(sortedJson(changed)))).toThrow(ManifestError)
  })

  test('of ten hours fits into one block', () => {
    const segments = Array.from({ length: 12_000 }, (): Rendition['segments'][number] => [
      144_000,
      1_048_576,
      raw,
    ])
    expect(encodeRendition({ ...rendition, timescale: 48_000, segments }).length).toBeLessThanOrEqual(
      1_048_576,
    )
  })

  test('that does not fit into a block is refused', () => {
    const segments = Array.from({ length: 12_000 }, (): Rendition['segments'][number] => [
      Number.MAX_SAFE_INTEGER,
      1_048_576,
      raw,
    ])
    expect(() => encodeRendition({ ...rendition, segments })).toThrow('does not fit into a block')
  })
})

describe('a track', () => {
  test('is loaded by its manifest, with its renditions in order', async () => {
    const asked: string[] = []
    const loaded = await loadTrack(track.cid, async (cid) => {
      asked.push(cid)
      return blocks.get(cid) ?? new Uint8Array()
    })
    expect(loaded).toEqual(track)
    expect(asked).toEqual([track.cid, ...manifest.renditions.map((link) => link['/'])])
  })

  test('lists every block once, in the order of its storage root', () => {
    const listed = blocksOf(track)
    expect(new Map(listed.map(({ cid, byteLength }) => [cid, byteLength]))).toEqual(
      new Map([...blocks].map(([cid, { length }]) => [cid, length])),
    )
    expect(listed).toHaveLength(blocks.size)
    const [flac, high, middle] = track.renditions
    const starts = [track.cid, flac?.cid, flac?.init.data['/'], flac?.segments[0]?.[2]['/']]
    expect(listed.slice(0, 4).map(({ cid }) => cid)).toEqual(starts)
    const place = (cid?: string) => listed.findIndex((block) => block.cid === cid)
    expect(place(flac?.cid)).toBeLessThan(place(high?.cid))
    expect(place(high?.cid)).toBeLessThan(place(middle?.cid))
    expect(listed.slice(-2).map(({ cid }) => cid)).toEqual([
      manifest.waveform?.data['/'],
      manifest.cover?.[0]?.image['/'],
    ])
  })

  test.each<[string, Partial<Rendition>, Partial<Manifest>, RegExp]>([
    ['has a rendition of another length', {}, { durationMs: manifest.durationMs + 3_002 }, /lasts 19319 ms/],
    [
      'gives one block two lengths',
      { segments: rendition.segments.with(1, [264_192, 999, rendition.segments[0]?.[2] ?? raw]) },
      {},
      /two lengths/,
    ],
  ])('is refused when it %s', async (_, renditionChange, manifestChange, message) => {
    const store = new Map(blocks)
    const renditionBytes = encodeRendition({ ...rendition, ...renditionChange })
    const renditionCid = await cidOf(renditionBytes, 'dag-json')
    store.set(renditionCid, renditionBytes)
    const bytes = encodeManifest({ ...manifest, renditions: [linkTo(renditionCid)], ...manifestChange })
    const loading = loadTrack(await cidOf(bytes, 'dag-json'), async (cid) => store.get(cid) ?? bytes)
    await expect(loading).rejects.toThrow(message)
  })

  test('is not loaded from bytes, from a rendition, or from anything else', async () => {
    const get = async (cid: string) => blocks.get(cid) ?? new Uint8Array()
    await expect(loadTrack(raw['/'], get)).rejects.toThrow(ManifestError)
    await expect(loadTrack(aacCid, get)).rejects.toThrow(ManifestError)
    await expect(loadTrack('baguqeera', get)).rejects.toThrow('not a CID')
    await expect(loadTrack(track.cid, () => Promise.reject(new Error('offline')))).rejects.toThrow('offline')
  })
})

describe('the name of a rendition', () => {
  const named = (...formats: [codec: string, averageBandwidth: number][]) => {
    const renditions = formats.map(([codec, averageBandwidth]) => ({ ...aac, codec, averageBandwidth }))
    const changed: LoadedTrack = { ...track, renditions }
    return renditions.map((_, index) => renditionName(changed, index))
  }

  test('is short, and tells what it is', () => {
    expect(named(['fLaC', 900_000], ['mp4a.40.2', 159_600], ['opus', 96_000])).toEqual([
      'flac',
      'aac-160',
      'opus-96',
    ])
  })

  test('is different for each, even where two are alike', () => {
    expect(named(['mp4a.40.2', 160_000], ['mp4a.40.2', 160_100], ['fLaC', 1], ['fLaC', 2])).toEqual([
      'aac-160-0',
      'aac-160-1',
      'flac-2',
      'flac-3',
    ])
    expect(() => renditionName(track, 3)).toThrow(RangeError)
  })
})

/** JSON with sorted keys: canonical, so that nothing but its content can be wrong with it. */
function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${sortedJson(member)}`).join(',')}}`
}
