import type { Rendition } from './manifest.ts'

/** Version 0 of the box, without its references. */
const headBytes = 32
const referenceBytes = 12
/** Each segment starts with a sample from which a decoder can start (ISO/IEC 14496-12 annex I, type 1). */
const startsWithAccessPoint = 0x90000000

/**
 * The segment index box `sidx` (ISO/IEC 14496-12 8.16.3) of a rendition's one file: bytes and ticks of each segment, in
 * order, of which the first follows the box. @returns 32 bytes and 12 for each segment
 */
export function segmentIndex({ timescale, segments }: Pick<Rendition, 'timescale' | 'segments'>): Uint8Array {
  const bytes = new Uint8Array(headBytes + referenceBytes * segments.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length)
  bytes.set(new TextEncoder().encode('sidx'), 4)
  const referenceId = 1
  view.setUint32(12, referenceId)
  view.setUint32(16, timescale)
  view.setUint16(30, segments.length)
  for (const [place, [ticks, byteLength]] of segments.entries()) {
    const start = headBytes + referenceBytes * place
    view.setUint32(start, byteLength)
    view.setUint32(start + 4, ticks)
    view.setUint32(start + 8, startsWithAccessPoint)
  }
  return bytes
}
