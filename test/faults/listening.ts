import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Track } from '@hexachord/protocol/rest'
import type { Fault, Quality } from '@hexachord/protocol/retrieval'
import type { Connection } from '@hexachord/sdk/connect'
import { openTrack, playSegments, renditionFor } from '@hexachord/sdk/playing'
import { decodedMs } from '../network/recordings.ts'

export type Heard = {
  segments: number
  /** Segments that the rendition has. */
  of: number
  /** Of the sound that came out of the decoder. */
  ms: number
  /** Origins that gave segments, in order. */
  sources: string[]
  faults: Fault[]
  /** How each source has done. */
  quality: Quality[]
}

/**
 * Plays a track to its end and decodes what was heard.
 * @param during called before each segment but the first; the player waits for it, as for a listener who listens
 */
export async function listen(
  connection: Connection,
  track: Track,
  options: { folder: string; during?: (index: number, sources: readonly string[]) => Promise<void> },
): Promise<Heard> {
  const faults: Fault[] = []
  const sources: string[] = []
  const heard: Uint8Array[] = []
  const opened = await openTrack(connection, track, { onFault: (fault) => faults.push(fault) })
  const rendition = renditionFor(opened)
  for await (const part of playSegments(opened, rendition, { prefetch: 1 })) {
    heard.push('init' in part ? part.init : part.bytes)
    if ('init' in part) continue
    sources.push(part.source)
    await options.during?.(part.index + 1, sources)
  }
  const file = path.join(options.folder, `heard-${crypto.randomUUID()}.mp4`)
  await writeFile(file, Buffer.concat(heard))
  const ms = await decodedMs(file)
  await rm(file)
  const of = opened.loaded.renditions[rendition]?.segments.length ?? 0
  return { segments: sources.length, of, ms, sources, faults, quality: opened.quality() }
}
