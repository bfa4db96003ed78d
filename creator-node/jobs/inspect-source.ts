import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Hash } from '@hexachord/protocol/names'
import {
  type AudioSource,
  maximumDurationMs,
  measureDuration,
  planRenditions,
  probe,
  SourceError,
} from '../transcoding/index.ts'
import { currentUpload, ffmpegTimeoutMs, type Work } from './work.ts'

/** Looks into the file. @throws SourceError, and what else `probe` does */
export function probeSource({ ffmpeg, ffprobePath, input }: Work, signal: AbortSignal): Promise<AudioSource> {
  return probe(input, {
    ffprobePath,
    signal,
    measureDuration: () =>
      measureDuration({ ffmpeg, input, signal, timeoutMs: ffmpegTimeoutMs(maximumDurationMs) }),
  })
}

/** Keeps what the file holds and which renditions it will have. */
export function planWork({ id, uploads }: Work, source: AudioSource): void {
  const renditions = planRenditions(source).map((plan) => ({
    plan,
    state: 'waiting' as const,
    doneMs: 0,
    segments: 0,
  }))
  uploads.change(id, (upload) => (upload.source === undefined ? { source, renditions } : undefined))
}

/** Names the file by its hash, and holds it against the one that the client gave. @throws SourceError */
export async function hashSource(work: Work, signal: AbortSignal): Promise<void> {
  const { id, uploads, input } = work
  const { sha256: known, expectedSha256 } = currentUpload(work)
  if (known !== undefined) return
  const hash = createHash('sha256')
  await pipeline(createReadStream(input, { highWaterMark: 1 << 20 }), hash, { signal })
  const sha256: Hash = `0x${hash.digest('hex')}`
  if (expectedSha256 !== undefined && expectedSha256 !== sha256) {
    throw new SourceError('checksumMismatch', 'the file did not arrive as it was sent: send it again')
  }
  uploads.change(id, () => ({ sha256 }))
}
