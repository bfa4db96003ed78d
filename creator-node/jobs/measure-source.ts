import { join } from 'node:path'
import { linkTo } from '@hexachord/protocol/cids'
import { type AudioSource, measure, SourceError } from '../transcoding/index.ts'
import { urgencies } from './make-renditions.ts'
import { currentUpload, ffmpegTimeoutMs, type Work } from './work.ts'

/** Measures loudness, waveform, fingerprint and length. @throws SourceError for a file that ends before it says */
export async function measureSource(work: Work, source: AudioSource, signal: AbortSignal): Promise<void> {
  const { id, ffmpeg, input, recorder, workDirectory } = work
  if (currentUpload(work).measured !== undefined) return
  const directory = join(workDirectory, id, 'fingerprint')
  const { loudness, waveform, fingerprint, durationMs } = await work.slots.run(
    urgencies.measuring,
    signal,
    () => measure({ ffmpeg, input, directory, signal, timeoutMs: ffmpegTimeoutMs(source.durationMs) }),
  )
  checkLength(source, durationMs)
  const bytes = new TextEncoder().encode(JSON.stringify(waveform))
  const cid = await recorder.store(bytes, 'raw')
  const print = fingerprint && {
    cid: await recorder.store(fingerprint, 'raw'),
    byteLength: fingerprint.length,
  }
  recorder.flush(() => ({
    measured: {
      durationMs,
      ...(print ? { fingerprint: { data: linkTo(print.cid), byteLength: print.byteLength } } : {}),
      waveform: { data: linkTo(cid), byteLength: bytes.length },
      ...(loudness === undefined ? {} : { loudness }),
    },
  }))
}

/** Encoders' delays and containers' rounding stay far below this. */
const lengthToleranceMs = 1_000
const lengthTolerance = 0.02

/** @throws SourceError when less can be decoded than the file itself says there is */
export function checkLength(source: AudioSource, durationMs: number): void {
  if (!source.durationStated) return
  const missingMs = source.durationMs - durationMs
  if (missingMs <= Math.max(lengthToleranceMs, source.durationMs * lengthTolerance)) return
  throw new SourceError(
    'truncated',
    `only ${seconds(durationMs)} s of the file can be read, of ${seconds(source.durationMs)} s: its end is missing or damaged`,
  )
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}
