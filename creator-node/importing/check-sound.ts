import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadedRendition } from '@hexachord/protocol/manifests'
import { urgencies } from '../jobs/make-renditions.ts'
import { ffmpegTimeoutMs, type Work } from '../jobs/work.ts'
import { measureDuration, SourceError } from '../transcoding/index.ts'

/** A decoder leaves out the encoder's delay, and a frame or two where a source was copied. */
const toleranceMs = 1_000
const tolerance = 0.02

/** Parts of a rendition that say where its sound is, and how long. */
export type Sound = Pick<LoadedRendition, 'init' | 'segments' | 'timescale' | 'cid'>

/**
 * Decodes every rendition once: frames of the right number and length may hold anything, and only a decoder can tell.
 * The disk needs room for the longest of them meanwhile.
 * @param get bytes of a block, verified
 * @throws SourceError when one cannot be decoded, or less of it than its segments say; ProgramMissing, ProgramLimit
 */
export async function checkSound(
  renditions: readonly Sound[],
  get: (cid: string) => Promise<Uint8Array>,
  { ffmpeg, slots, workDirectory, id }: Pick<Work, 'ffmpeg' | 'slots' | 'workDirectory' | 'id'>,
  signal: AbortSignal,
): Promise<void> {
  const directory = join(workDirectory, id)
  await mkdir(directory, { recursive: true })
  const input = join(directory, 'imported.mp4')
  for (const rendition of renditions) {
    await writeRendition(input, rendition, get, signal)
    const ticks = rendition.segments.reduce((sum, [segmentTicks]) => sum + segmentTicks, 0)
    const durationMs = (ticks * 1000) / rendition.timescale
    const timeoutMs = ffmpegTimeoutMs(durationMs)
    const heardMs = await slots.run(urgencies.measuring, signal, () =>
      measureDuration({ ffmpeg, input, timeoutMs, signal }),
    )
    await rm(input)
    if (durationMs - heardMs > Math.max(toleranceMs, durationMs * tolerance)) {
      throw new SourceError(
        'undecodable',
        `only ${Math.round(heardMs)} ms of the sound of rendition ${rendition.cid} can be decoded, of ${Math.round(durationMs)} ms`,
      )
    }
  }
}

/** Initialization section and segments after each other are a fragmented file (ISO/IEC 14496-12 8.8). */
async function writeRendition(
  path: string,
  { init, segments }: Sound,
  get: (cid: string) => Promise<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(await get(init.data['/']))
    for (const [, , { '/': cid }] of segments) {
      signal.throwIfAborted()
      await file.writeFile(await get(cid))
    }
  } finally {
    await file.close()
  }
}
