import { createHash } from 'node:crypto'

/** The namespace that Podcasting 2.0 has set for feeds. */
const podcastNamespace = 'ead4c236bf5858c6a2c6a6b28d128cb6'

/** Name of a feed as `podcast:guid` has it: a UUID of version 5 (RFC 9562 5.5) of its URL without scheme and last slashes. */
export function feedGuid(feedUrl: string): string {
  const name = feedUrl.replace(/^[a-z]+:\/\//, '').replace(/\/+$/, '')
  const bytes = createHash('sha1')
    .update(Buffer.from(podcastNamespace, 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  bytes.writeUInt8(((bytes[6] ?? 0) & 0x0f) | 0x50, 6)
  bytes.writeUInt8(((bytes[8] ?? 0) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
