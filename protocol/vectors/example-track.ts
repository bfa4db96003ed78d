import { cidOf, linkTo } from '../cids/index.ts'
import {
  encodeManifest,
  encodeOriginalList,
  encodeRendition,
  type LoadedTrack,
  loadTrack,
  type Rendition,
} from '../manifests/index.ts'

export type ExampleTrack = { readonly track: LoadedTrack; readonly blocks: ReadonlyMap<string, Uint8Array> }

/** A small track with everything a track can have, the same on every machine: two AAC renditions and a
 * lossless one, a cover and a waveform. Its segments hold no sound, just bytes of many lengths; one stands
 * twice, as silence does.
 * @param options.original whether the file of which it was made is part of it */
export async function exampleTrack(options: { original?: boolean } = {}): Promise<ExampleTrack> {
  const blocks = new Map<string, Uint8Array>()
  const store = async (bytes: Uint8Array, codec: 'raw' | 'dag-json' = 'raw') => {
    const cid = await cidOf(bytes, codec)
    blocks.set(cid, bytes)
    return { link: linkTo(cid), byteLength: bytes.length }
  }

  const rendition = async (
    seed: number,
    format: Pick<Rendition, 'codec' | 'averageBandwidth' | 'bandwidth'>,
    lengths: readonly number[],
  ) => {
    const init = await store(exampleBytes(700 + seed, seed))
    const segments: Rendition['segments'] = []
    for (const [index, length] of lengths.entries()) {
      const { link, byteLength } = await store(exampleBytes(length, seed))
      segments.push([exampleTicks[index] ?? 1, byteLength, link])
    }
    const block = encodeRendition({
      v: 1,
      kind: 'rendition',
      ...format,
      container: 'fmp4',
      channels: 2,
      sampleRateHz: 44_100,
      timescale: 44_100,
      init: { data: init.link, byteLength: init.byteLength },
      segments,
    })
    return (await store(block, 'dag-json')).link
  }

  const flac = { codec: 'fLaC', averageBandwidth: 921_600, bandwidth: 1_048_576 }
  const high = { codec: 'mp4a.40.2', averageBandwidth: 318_512, bandwidth: 325_004 }
  const middle = { codec: 'mp4a.40.2', averageBandwidth: 159_871, bandwidth: 163_840 }
  const renditions = [
    await rendition(1, flac, [2048, 2049, 2047, 2049]),
    await rendition(2, high, [1024, 1023, 255, 1024]),
    await rendition(3, middle, [512, 513, 511, 1]),
  ]
  const cover = await store(exampleBytes(900, 4))
  const waveform = await store(new TextEncoder().encode('{"version":2,"data":[]}'))
  const original = async () => {
    const first = await store(exampleBytes(2048, 5))
    const last = await store(exampleBytes(100, 6))
    const listed = encodeOriginalList({
      ...{ v: 1, kind: 'original' },
      blocks: [
        [first.byteLength, first.link],
        [last.byteLength, last.link],
      ],
    })
    const list = (await store(listed, 'dag-json')).link
    const byteLength = first.byteLength + last.byteLength
    return { filename: 'Söng.flac', type: 'audio/flac', byteLength, sha256: exampleHash, list }
  }
  const manifest = await store(
    encodeManifest({
      v: 1,
      kind: 'track',
      durationMs: 19_319,
      renditions,
      cover: [
        { image: cover.link, byteLength: cover.byteLength, type: 'image/jpeg', width: 600, height: 600 },
      ],
      waveform: { data: waveform.link, byteLength: waveform.byteLength },
      loudness: { integratedMilliLufs: -14_230, rangeMilliLu: 6_400, truePeakMilliDbtp: -1_050 },
      ...(options.original ? { original: await original() } : {}),
    }),
    'dag-json',
  )
  const track = await loadTrack(manifest.link['/'], async (cid) => blocks.get(cid) ?? new Uint8Array())
  return { track, blocks }
}

/** sha256 of the 2,148 bytes of the example's original. */
const exampleHash = '0x1258a5d5133b7d9fabb2cd91802a64ffbb8c129930bd2a4a070c3745dfe9eea4' as const

/** As ffmpeg cuts AAC at 44.1 kHz: six seconds on the grid of 1024-sample frames, and a short rest. */
const exampleTicks = [265_216, 264_192, 265_216, 57_344]

/** Byte i is (i × i + 31 × i + seed) mod 251: no two blocks of 256 bytes in it are alike for long. */
export function exampleBytes(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * i + 31 * i + seed) % 251)
}
