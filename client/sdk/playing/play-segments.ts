import { renditionName } from '@hexachord/protocol/manifests'
import { variantOrder } from '@hexachord/protocol/playlists'
import type { OpenedTrack } from './open-track.ts'

export type PlayedSegment = {
  readonly index: number
  /** Segments of the rendition. */
  readonly count: number
  readonly cid: string
  readonly bytes: Uint8Array
  readonly durationMs: number
  /** Origin that gave it. */
  readonly source: string
}

/** The rendition to play: the named one (`aac-160`, `flac`), or where players begin.
 * @throws RangeError with the names there are */
export function renditionFor(opened: OpenedTrack, name?: string): number {
  const { loaded } = opened
  if (name === undefined) return variantOrder(loaded)[0] ?? 0
  const names = loaded.renditions.map((_, index) => renditionName(loaded, index))
  const index = names.indexOf(name)
  if (index < 0) throw new RangeError(`the track has no rendition ${name}, only ${names.join(', ')}`)
  return index
}

/** The init block and the segments of a rendition in order, each checked; the next ones are fetched while
 * one is played.
 * @param prefetch segments that are fetched ahead @default 3 */
export async function* playSegments(
  opened: OpenedTrack,
  renditionIndex: number,
  { prefetch = 3, signal }: { prefetch?: number; signal?: AbortSignal } = {},
): AsyncGenerator<{ readonly init: Uint8Array } | PlayedSegment> {
  const rendition = opened.loaded.renditions[renditionIndex]
  if (rendition === undefined) throw new RangeError(`the track has no rendition ${renditionIndex}`)
  const stop = new AbortController()
  const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  const ahead: Promise<{ bytes: Uint8Array; source: string }>[] = []
  const { segments } = rendition
  const fetchNext = () => {
    const next = segments[started]
    if (next === undefined) return
    started += 1
    const block = opened.block(next[2]['/'], both)
    // It is awaited in its turn; until then a failure must not count as unhandled.
    block.catch(() => undefined)
    ahead.push(block)
  }
  let started = 0
  try {
    const init = opened.block(rendition.init.data['/'], both)
    for (let n = 0; n <= prefetch; n++) fetchNext()
    yield { init: (await init).bytes }
    for (const [index, [ticks, , link]] of segments.entries()) {
      const block = await ahead.shift()
      if (block === undefined) return
      fetchNext()
      yield {
        index,
        count: segments.length,
        cid: link['/'],
        bytes: block.bytes,
        durationMs: Math.round((ticks * 1000) / rendition.timescale),
        source: block.source,
      }
    }
  } finally {
    stop.abort()
  }
}
