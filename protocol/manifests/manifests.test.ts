import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cidOf, linkTo } from '../cids/index.ts'
import { exampleTrack } from '../vectors/index.ts'
import {
  audioFileOf,
  blocksOf,
  decodeManifest,
  decodeOriginalList,
  decodeRendition,
  encodeManifest,
  encodeOriginalList,
  encodeRendition,
  type LoadedTrack,
  loadTrack,
  type Manifest,
  ManifestError,
  type OriginalList,
  originalFilename,
  type Rendition,
  renditionName,
  usualRendition,
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
    ['a fingerprint of half an item', { fingerprint: { data: raw, byteLength: 6 } }],
    ['a fingerprint of a whole concert', { fingerprint: { data: raw, byteLength: 8192 } }],
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

  test('holds a fingerprint, where it has one, behind its pictures', async () => {
    const fingerprint = { data: linkTo(await cidOf(new Uint8Array(3756), 'raw')), byteLength: 3756 }
    const marked = decodeManifest(encodeManifest({ ...manifest, fingerprint }))
    expect(marked.fingerprint).toEqual(fingerprint)
    const listed = blocksOf({ ...track, manifest: marked })
    expect(listed.slice(0, -1)).toEqual(blocksOf(track))
    expect(listed.at(-1)).toEqual({ cid: fingerprint.data['/'], byteLength: 3756 })
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

  test('is refused when what should be a rendition is a manifest, and no nesting is followed', async () => {
    const asked: string[] = []
    const nesting = encodeManifest({ ...manifest, renditions: [linkTo(track.cid)] })
    const cid = await cidOf(nesting, 'dag-json')
    const loading = loadTrack(cid, async (name) => {
      asked.push(name)
      return blocks.get(name) ?? nesting
    })
    await expect(loading).rejects.toThrow(ManifestError)
    await expect(loading).rejects.toThrow(/rendition/)
    expect(asked).toEqual([cid, track.cid])
  })

  test('is not loaded from bytes, from a rendition, or from anything else', async () => {
    const get = async (cid: string) => blocks.get(cid) ?? new Uint8Array()
    await expect(loadTrack(raw['/'], get)).rejects.toThrow(ManifestError)
    await expect(loadTrack(aacCid, get)).rejects.toThrow(ManifestError)
    await expect(loadTrack('baguqeera', get)).rejects.toThrow('not a CID')
    await expect(loadTrack(track.cid, () => Promise.reject(new Error('offline')))).rejects.toThrow('offline')
  })
})

describe('an original', () => {
  const sha256 = `0x${'5'.repeat(64)}` as const

  /** The example track with a file of blocks of these lengths. */
  async function withOriginal(
    lengths: readonly number[],
    change: Partial<NonNullable<Manifest['original']>> = {},
  ) {
    const store = new Map(blocks)
    const put = async (bytes: Uint8Array, codec: 'raw' | 'dag-json') => {
      const cid = await cidOf(bytes, codec)
      store.set(cid, bytes)
      return linkTo(cid)
    }
    const listed: OriginalList['blocks'] = []
    for (const [n, length] of lengths.entries()) {
      listed.push([length, await put(new Uint8Array(length).fill(n + 1), 'raw')])
    }
    const list = await put(encodeOriginalList({ v: 1, kind: 'original', blocks: listed }), 'dag-json')
    const byteLength = lengths.reduce((sum, length) => sum + length, 0)
    const original = { filename: 'Song.flac', type: 'audio/flac', byteLength, sha256, list, ...change }
    const root = await put(encodeManifest({ ...manifest, original }), 'dag-json')
    return {
      root: root['/'],
      list: list['/'],
      listed,
      get: async (cid: string) => store.get(cid) ?? new Uint8Array(),
    }
  }

  test('is part of the track: its list and its blocks come last', async () => {
    const { root, list, listed, get } = await withOriginal([1_000, 2_000, 3])
    const loaded = await loadTrack(root, get)
    expect(loaded.original).toMatchObject({ cid: list, blocks: listed })
    expect(blocksOf(loaded).slice(-4)).toEqual([
      { cid: list, byteLength: (await get(list)).length },
      ...listed.map(([byteLength, { '/': cid }]) => ({ cid, byteLength })),
    ])
    expect(blocksOf(loaded)).toHaveLength(blocks.size + 4)
  })

  test('lists each of its blocks once, and every length that there is is loaded', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(lengths, async (lengths) => {
        const { root, listed, get } = await withOriginal(lengths)
        const loaded = await loadTrack(root, get)
        const cids = blocksOf(loaded).map(({ cid }) => cid)
        expect(new Set(cids).size).toBe(cids.length)
        for (const [, { '/': cid }] of listed) expect(cids).toContain(cid)
      }),
      { numRuns: 20 },
    )
  })

  test('is refused when its blocks are not as long as it', async () => {
    const { root, get } = await withOriginal([10, 10], { byteLength: 21 })
    await expect(loadTrack(root, get)).rejects.toThrow('have 20 bytes, the manifest says 21')
  })

  test.each<[string, object]>([
    ['the name of a path', { filename: '../Song.flac' }],
    ['a control character in its name', { filename: 'Song\n.flac' }],
    ['no name', { filename: '' }],
    ['a type that is none', { type: 'flac' }],
    ['a type with parameters', { type: 'text/html; charset=utf-8' }],
    ['no byte', { byteLength: 0 }],
    ['bytes as its list', { list: raw }],
    ['a member that we do not know', { url: 'https://example' }],
  ])('is refused with %s', (_, change) => {
    const right = { filename: 'Song.flac', type: 'audio/flac', byteLength: 1, sha256, list: dagJson }
    expect(decodeManifest(encodeManifest({ ...manifest, original: right })).original).toEqual(right)
    const changed = { ...manifest, original: { ...right, ...change } }
    expect(() => encodeManifest(changed as Manifest)).toThrow(ManifestError)
    expect(() => decodeManifest(new TextEncoder().encode(sortedJson(changed)))).toThrow(ManifestError)
  })

  test.each<[string, object]>([
    ['no block', { blocks: [] }],
    ['a block of no bytes', { blocks: [[0, raw]] }],
    ['a block larger than a block', { blocks: [[1_048_577, raw]] }],
    ['a block that is a list', { blocks: [[1, dagJson]] }],
    ['12,001 blocks', { blocks: Array.from({ length: 12_001 }, () => [1, raw]) }],
    ['another kind', { kind: 'rendition' }],
  ])('is refused with a list with %s', (_, change) => {
    const changed = { v: 1, kind: 'original', blocks: [[1, raw]], ...change }
    expect(() => encodeOriginalList(changed as OriginalList)).toThrow(ManifestError)
    expect(() => decodeOriginalList(new TextEncoder().encode(sortedJson(changed)))).toThrow(ManifestError)
  })

  test('of twelve GiB has a list that is one block', () => {
    const full: OriginalList['blocks'] = Array.from({ length: 12_000 }, () => [1_048_576, raw])
    expect(encodeOriginalList({ v: 1, kind: 'original', blocks: full }).length).toBeLessThanOrEqual(1_048_576)
  })

  test('has a name that a manifest takes, whatever its file was called', () => {
    expect(originalFilename('../../etc/passwd\u0000.mp3')).toBe('passwd.mp3')
    expect(originalFilename('C:\\Music\\Song.flac')).toBe('Song.flac')
    expect(originalFilename('..')).toBe('original')
    const original = { type: 'audio/flac', byteLength: 1, sha256, list: dagJson }
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        encodeManifest({ ...manifest, original: { ...original, filename: originalFilename(name) } })
      }),
    )
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

describe('a rendition as one file', () => {
  test('is its initialization section, an index and its segments, in order', () => {
    const { parts, byteLength } = audioFileOf(aac)
    expect(parts.map((part) => ('cid' in part ? part.cid : 'index'))).toEqual([
      aac.init.data['/'],
      'index',
      ...aac.segments.map(([, , link]) => link['/']),
    ])
    const media = aac.init.byteLength + aac.segments.reduce((sum, [, bytes]) => sum + bytes, 0)
    expect(byteLength).toBe(media + 32 + 12 * aac.segments.length)
  })

  test('says in its index how long each segment is, in bytes and in ticks', () => {
    const link = aac.init.data
    const segments = [
      [264_600, 96_123, link],
      [100_000, 41_000, link],
    ] satisfies typeof aac.segments
    const [, index] = audioFileOf({ init: aac.init, timescale: 44_100, segments }).parts
    expect(Buffer.from(index !== undefined && 'bytes' in index ? index.bytes : []).toString('hex')).toBe(
      [
        ...['00000038', '73696478', '00000000', '00000001', '0000ac44', '00000000', '00000000', '00000002'],
        ...['0001777b', '00040998', '90000000', '0000a028', '000186a0', '90000000'],
      ].join(''),
    )
  })

  test('is the best AAC where none is asked for, else the first', () => {
    const of = (...renditions: [string, number][]) =>
      usualRendition({
        renditions: renditions.map(([codec, averageBandwidth]) => ({ ...aac, codec, averageBandwidth })),
      })
    expect(of(['fLaC', 900_000], ['mp4a.40.2', 96_000], ['mp4a.40.2', 320_000], ['mp4a.40.2', 160_000])).toBe(
      2,
    )
    expect(of(['fLaC', 900_000], ['fLaC', 1_500_000])).toBe(0)
  })
})
