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

/** A rendition that the track does not have; the message lists those that it has. */
export class RenditionUnknown extends Error {
  override readonly name = 'RenditionUnknown'
}

/** The rendition to play: the named one (`aac-160`, `flac`), or where players begin.
 * @throws RenditionUnknown */
export function renditionFor(opened: OpenedTrack, name?: string): number {
  const { loaded } = opened
  if (name === undefined) return variantOrder(loaded)[0] ?? 0
  const names = loaded.renditions.map((_, index) => renditionName(loaded, index))
  const index = names.indexOf(name)
  if (index < 0) {
    throw new RenditionUnknown(`the track has no rendition '${name}', only ${names.join(', ')}`)
  }
  return index
}

/** The init block and the segments of a rendition in order, each checked; the next ones are fetched while
 * one is played.
 * @param prefetch segments that are fetched ahead @default 3
 * @throws RetrievalFailed when no source gives one, RangeError, and the signal's reason */
export async function* playSegments(
  opened: OpenedTrack,
  renditionIndex: number,
  { prefetch = 3, signal }: { prefetch?: number; signal?: AbortSignal } = {},
): AsyncGenerator<{ readonly init: Uint8Array } | PlayedSegment> {
  const rendition = opened.loaded.renditions[renditionIndex]
  if (rendition === undefined) throw new RangeError(`the track has no rendition ${renditionIndex}`)
  const stop = new AbortController()
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  const fetchAhead = (cid: string) => {
    const block = opened.block(cid, either)
    // It is awaited in its turn; until then a failure must not count as unhandled.
    block.catch(() => undefined)
    return block
  }
  const { segments } = rendition
  const init = fetchAhead(rendition.init.data['/'])
  const ahead = segments.slice(0, prefetch + 1).map(([, , link]) => fetchAhead(link['/']))
  try {
    yield { init: (await init).bytes }
    for (const [index, [ticks, , link]] of segments.entries()) {
      const { bytes, source } = await (ahead.shift() ?? fetchAhead(link['/']))
      const next = segments[index + 1 + prefetch]
      if (next) ahead.push(fetchAhead(next[2]['/']))
      yield {
        index,
        count: segments.length,
        cid: link['/'],
        bytes,
        durationMs: Math.round((ticks * 1000) / rendition.timescale),
        source,
      }
    }
  } finally {
    stop.abort()
  }
}
