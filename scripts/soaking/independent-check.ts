import { createHash } from 'node:crypto'

/** RFC 4648 in lower case and without padding, as multibase `b` has it. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
/** CIDv1, codec raw, multihash sha2-256 of 32 bytes. */
const rawPrefix = Buffer.from([0x01, 0x55, 0x12, 0x20])

/** The CID of a raw block, worked out without any code of the network that is being tested. */
export function rawCidOf(bytes: Uint8Array): string {
  const cid = Buffer.concat([rawPrefix, createHash('sha256').update(bytes).digest()])
  let text = 'b'
  let [pending, bits] = [0, 0]
  for (const byte of cid) {
    pending = (pending << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(pending >> bits) & 31]
    }
    pending &= (1 << bits) - 1
  }
  return bits > 0 ? text + alphabet[(pending << (5 - bits)) & 31] : text
}
