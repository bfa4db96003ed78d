/** Items of Chromaprint, as signed 32-bit integers. */
export type Fingerprint = Int32Array

/** A second has about eight items; so many places two recordings may begin apart. */
const maximumOffset = 80

/** Ten seconds in common: less is a sample or a jingle. */
const leastOverlap = 80

/** Encoders change some bits in a thousand, a cut beginning some sixty, and other music has nearly half of all. */
export const alikeBelowPerMille = 150

/** Keys of one fingerprint: few enough for an index, and enough that two of the same recording share some. */
const maximumKeys = 64

/** How long one item lasts, in ms: a third of a frame of 4096 samples at 11,025 Hz. */
export const itemMs = (4096 / 3 / 11_025) * 1000

/** @returns undefined for bytes that are no whole items */
export function fingerprintOf(bytes: Uint8Array): Fingerprint | undefined {
  if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Int32Array.from({ length: bytes.length / 4 }, (_, index) => view.getInt32(index * 4, true))
}

/** Items by which a fingerprint is found: those whose mixed bits are least, wherever they stand. What lasts, such as
 * silence, is like much and tells nothing. */
export function keysOf(items: Fingerprint): number[] {
  const telling = items.filter((item, index) => item !== items[index - 1] && item !== items[index + 1])
  return [...new Set(telling)].sort((a, b) => mixed(a) - mixed(b) || a - b).slice(0, maximumKeys)
}

/** An order that has nothing to do with sound: the finaliser of MurmurHash3. */
function mixed(item: number): number {
  let bits = item
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** How nearly two recordings are the same, at the place where they fit best.
 * @returns undefined when they have too little in common to tell */
export function compare(
  a: Fingerprint,
  b: Fingerprint,
): { readonly errorsPerMille: number; readonly offsetItems: number } | undefined {
  let best: { errorsPerMille: number; offsetItems: number } | undefined
  for (let offset = -maximumOffset; offset <= maximumOffset; offset++) {
    const from = Math.max(0, -offset)
    const to = Math.min(a.length, b.length - offset)
    if (to - from < leastOverlap) continue
    let errors = 0
    for (let index = from; index < to; index++) errors += ones((a[index] ?? 0) ^ (b[index + offset] ?? 0))
    const errorsPerMille = Math.round((errors * 1000) / ((to - from) * 32))
    if (best === undefined || errorsPerMille < best.errorsPerMille)
      best = { errorsPerMille, offsetItems: offset }
  }
  return best
}

function ones(bits: number): number {
  let count = bits - ((bits >>> 1) & 0x55555555)
  count = (count & 0x33333333) + ((count >>> 2) & 0x33333333)
  return Math.imul((count + (count >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
