import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parse, types } from 'hls-parser'
import { lintPlaylist } from '../hls-lint/index.ts'
import type { LoadedRendition, LoadedTrack } from '../manifests/index.ts'
import { exampleTrack } from '../vectors/index.ts'
import { masterPlaylist, mediaPlaylist, PlaylistError, variantOrder } from './index.ts'

const { track } = await exampleTrack()
const uris = {
  segmentUri: (cid: string, filename: string) => `/ipfs/${cid}?filename=${filename}`,
  initUri: (cid: string, filename: string) => `/ipfs/${cid}?filename=${filename}`,
}

describe('a media playlist', () => {
  test('lists a rendition as valid HLS', () => {
    const text = mediaPlaylist(track, 2, uris)
    const [first, second, third, fourth] = track.renditions[2]?.segments.map(([, , link]) => link['/']) ?? []
    expect(text).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:6
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MAP:URI="/ipfs/${track.renditions[2]?.init.data['/']}?filename=init.mp4"
#EXTINF:6.013968,
/ipfs/${first}?filename=segment-00000.m4s
#EXTINF:5.990749,
/ipfs/${second}?filename=segment-00001.m4s
#EXTINF:6.013968,
/ipfs/${third}?filename=segment-00002.m4s
#EXTINF:1.300317,
/ipfs/${fourth}?filename=segment-00003.m4s
#EXT-X-ENDLIST
`)
    expect(lintPlaylist(text)).toEqual([])
  })

  test('means the same to a parser', () => {
    for (const index of track.renditions.keys()) {
      const playlist = parse(mediaPlaylist(track, index, uris))
      expect(playlist).toMatchObject({
        isMasterPlaylist: false,
        version: 7,
        playlistType: 'VOD',
        endlist: true,
        independentSegments: true,
      })
      expect(playlist instanceof types.MediaPlaylist && playlist.segments.map(({ uri }) => uri)).toEqual(
        track.renditions[index]?.segments.map(([, , link], place) =>
          uris.segmentUri(link['/'], `segment-0000${place}.m4s`),
        ),
      )
    }
  })

  test('is valid and never off by more than half a microsecond, however segments are cut', () => {
    const timescale = fc.constantFrom(1, 1_000, 22_050, 44_100, 48_000, 96_000, 1_000_000)
    const rendition = timescale.chain((timescale) =>
      fc.record({
        timescale: fc.constant(timescale),
        ticks: fc.array(fc.integer({ min: 1, max: timescale * 12 }), { minLength: 1, maxLength: 300 }),
      }),
    )
    fc.assert(
      fc.property(rendition, ({ timescale, ticks }) => {
        const text = mediaPlaylist(trackOf([{ ticks, timescale }]), 0, uris)
        expect(lintPlaylist(text)).toEqual([])
        expectNoDrift(text, ticks, timescale)
      }),
    )
  })

  test('is right for ten hours of music', () => {
    const ticks = Array.from({ length: 12_000 }, (_, index) => (index % 3 === 0 ? 132_096 : 132_352))
    const text = mediaPlaylist(trackOf([{ ticks, timescale: 44_100 }]), 0, uris)
    expect(lintPlaylist(text)).toEqual([])
    expectNoDrift(text, ticks, 44_100)
    expect(text.match(/\nsegment|^#EXTINF/gm)).toHaveLength(12_000)
  })

  test.each([
    ['6.5 s', 65, 10, 7],
    ['6.4 s', 64, 10, 6],
    ['a blink', 1, 48_000, 1],
  ])('has an integer target duration for segments of %s', (_, ticks, timescale, target) => {
    expect(mediaPlaylist(trackOf([{ ticks: [ticks], timescale }]), 0, uris)).toContain(
      `\n#EXT-X-TARGETDURATION:${target}\n`,
    )
  })

  test('is refused for a rendition that there is not, and for URIs that would break it', () => {
    expect(() => mediaPlaylist(track, 3, uris)).toThrow(RangeError)
    for (const bad of ['', '#fragment', 'a b', 'a"b', 'a\nb', 'ä']) {
      expect(() => mediaPlaylist(track, 0, { ...uris, segmentUri: () => bad })).toThrow(PlaylistError)
      expect(() => mediaPlaylist(track, 0, { ...uris, initUri: () => bad })).toThrow(PlaylistError)
    }
  })
})

describe('a master playlist', () => {
  const holders = ['https://one.example', 'https://two.example:4620']
  const renditionUris = (_: number, name: string) => holders.map((origin) => `${origin}/hls/x/${name}.m3u8`)

  test('lists each rendition once per holder, as redundant streams', () => {
    const text = masterPlaylist(track, { renditionUris })
    expect(text).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=163840,AVERAGE-BANDWIDTH=159871,CODECS="mp4a.40.2"
https://one.example/hls/x/aac-160.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=163840,AVERAGE-BANDWIDTH=159871,CODECS="mp4a.40.2"
https://two.example:4620/hls/x/aac-160.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=325004,AVERAGE-BANDWIDTH=318512,CODECS="mp4a.40.2"
https://one.example/hls/x/aac-320.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=325004,AVERAGE-BANDWIDTH=318512,CODECS="mp4a.40.2"
https://two.example:4620/hls/x/aac-320.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1048576,AVERAGE-BANDWIDTH=921600,CODECS="fLaC"
https://one.example/hls/x/flac.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1048576,AVERAGE-BANDWIDTH=921600,CODECS="fLaC"
https://two.example:4620/hls/x/flac.m3u8
`)
    expect(lintPlaylist(text)).toEqual([])
    expect(parse(text)).toMatchObject({ isMasterPlaylist: true, variants: { length: 6 } })
  })

  test('begins with the AAC rendition nearest to 160 kbit/s and ends with the lossless one', () => {
    const ladder = (...bandwidths: number[]) =>
      trackOf(
        bandwidths.map((averageBandwidth) => ({
          averageBandwidth,
          codec: averageBandwidth > 500_000 ? 'fLaC' : 'mp4a.40.2',
        })),
      )
    expect(variantOrder(ladder(900_000, 320_000, 160_000, 96_000))).toEqual([2, 1, 3, 0])
    expect(variantOrder(ladder(96_000, 320_000))).toEqual([0, 1])
    expect(variantOrder(ladder(900_000, 320_000, 256_000))).toEqual([2, 1, 0])
    expect(variantOrder(ladder(900_000))).toEqual([0])
  })

  test('holds every rendition once, whatever the ladder', () => {
    const codec = fc.constantFrom('mp4a.40.2', 'mp4a.40.5', 'fLaC', 'opus')
    const rendition = fc.record({ codec, averageBandwidth: fc.integer({ min: 1, max: 2_000_000 }) })
    fc.assert(
      fc.property(fc.array(rendition, { minLength: 1, maxLength: 12 }), (renditions) => {
        const ladder = trackOf(renditions)
        expect(variantOrder(ladder).toSorted((a, b) => a - b)).toEqual([...renditions.keys()])
        expect(lintPlaylist(masterPlaylist(ladder, { renditionUris }))).toEqual([])
      }),
    )
  })

  test('leaves out what nobody holds, and is refused when nobody holds anything', () => {
    const text = masterPlaylist(track, { renditionUris: (index) => (index === 0 ? ['flac.m3u8'] : []) })
    expect(text.match(/STREAM-INF/g)).toHaveLength(1)
    expect(() => masterPlaylist(track, { renditionUris: () => [] })).toThrow(PlaylistError)
    expect(() => masterPlaylist(track, { renditionUris: () => ['a b.m3u8'] })).toThrow(PlaylistError)
  })
})

function expectNoDrift(text: string, ticks: readonly number[], timescale: number): void {
  const microseconds = Array.from(
    text.matchAll(/^#EXTINF:(\d+)(?:\.(\d{1,6}))?,$/gm),
    ([, whole, fraction]) => BigInt(`${whole}${(fraction ?? '').padEnd(6, '0')}`),
  )
  expect(microseconds).toHaveLength(ticks.length)
  let elapsed = 0n
  let elapsedTicks = 0n
  for (const [index, duration] of microseconds.entries()) {
    elapsed += duration
    elapsedTicks += BigInt(ticks[index] ?? 0)
    const twiceOff = 2n * (elapsed * BigInt(timescale) - elapsedTicks * 1_000_000n)
    expect(twiceOff <= BigInt(timescale) && -twiceOff <= BigInt(timescale)).toBe(true)
  }
}

type Differences = Partial<LoadedRendition> & { readonly ticks?: readonly number[] }

/** The example track with other renditions. */
function trackOf(renditions: readonly Differences[]): LoadedTrack {
  const [example] = track.renditions
  const [segment] = example?.segments ?? []
  if (!example || !segment) throw new Error('the example track has a rendition with a segment')
  return {
    ...track,
    renditions: renditions.map(({ ticks = [6], ...rendition }) => ({
      ...example,
      bandwidth: rendition.averageBandwidth ?? example.bandwidth,
      segments: ticks.map((duration) => [duration, segment[1], segment[2]]),
      ...rendition,
    })),
  }
}
