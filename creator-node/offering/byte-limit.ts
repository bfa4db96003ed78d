import type { Upload } from '../uploads/index.ts'

/** Encoders overshoot their aim a little, and boxes take room. */
const margin = 1.15
/** Manifest, renditions, waveform, covers, fingerprint and the list of an original. */
const reserveBytes = 4 * 1024 ** 2

/**
 * Bytes that a track can have at most, by what is planned for it and never above the author's grant. Operators lend
 * room by this number, so it must be no larger than needed.
 */
export function offeredByteLimit({ renditions, source, byteLength, keepOriginal, grant }: Upload): number {
  const seconds = (source?.durationMs ?? 0) / 1000
  const planned = renditions.reduce((sum, { plan, made }) => {
    if (made !== undefined) return sum + made.totalBytes
    const encoded = (plan.bitRate / 8) * seconds * margin
    return sum + (plan.method === 'copy' ? Math.max(byteLength * margin, encoded) : encoded)
  }, 0)
  const original = keepOriginal ? byteLength : 0
  return Math.min(grant.byteLimit, Math.ceil(planned) + original + reserveBytes)
}
