import { crc32 } from 'node:zlib'

const headBytes = 8
/** Longer than any record of a till: a length beyond it is no length. */
const longestRecord = 16 * 1024 * 1024

/** A record as it stands in a journal: length (4, little-endian) ‖ CRC-32 of the text (4) ‖ text. */
export function frameOf(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(headBytes + length)
  frame.write(text, headBytes)
  frame.writeUInt32LE(length, 0)
  frame.writeUInt32LE(crc32(frame.subarray(headBytes)), 4)
  return frame
}

/**
 * Gives the records of a journal up to the first that is not whole, which is where a write was torn.
 * @returns bytes of what was whole
 */
export function readFrames(bytes: Buffer, onRecord: (text: string) => void): number {
  let at = 0
  while (at + headBytes <= bytes.length) {
    const length = bytes.readUInt32LE(at)
    const end = at + headBytes + length
    // A length of zero is a hole that the file system left, and no record.
    if (length === 0 || length > longestRecord || end > bytes.length) break
    const text = bytes.subarray(at + headBytes, end)
    if (crc32(text) !== bytes.readUInt32LE(at + 4)) break
    onRecord(text.toString())
    at = end
  }
  return at
}
