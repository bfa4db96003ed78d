import { type Codec, cidFromDigest } from '@hexachord/protocol/cids'

/** How the names of the blocks begin that this network has: CIDv1, codec, sha2-256, and its 32 bytes. */
const ours: readonly (readonly [Codec, Uint8Array])[] = [
  ['raw', Uint8Array.of(0x01, 0x55, 0x12, 0x20)],
  ['dag-json', Uint8Array.of(0x01, 0xa9, 0x02, 0x12, 0x20)],
]
const digestBytes = 32

/**
 * Blocks of a CARv1 (https://ipld.io/specs/transport/car/carv1/) that a node of this network stores. The fixtures of
 * others hold blocks of many kinds, which `openCar` refuses as it should.
 */
export function* fixtureBlocks(car: Uint8Array): Generator<{ cid: string; bytes: Uint8Array }> {
  let isHeader = true
  for (let place = 0; place < car.length; ) {
    const { value: length, end: start } = varintAt(car, place)
    place = start + length
    const block = isHeader ? undefined : blockIn(car.subarray(start, place))
    if (block !== undefined) yield block
    isHeader = false
  }
}

function blockIn(section: Uint8Array): { cid: string; bytes: Uint8Array } | undefined {
  for (const [codec, beginning] of ours) {
    if (!beginning.every((byte, place) => section[place] === byte)) continue
    const end = beginning.length + digestBytes
    return { cid: cidFromDigest(section.slice(beginning.length, end), codec), bytes: section.slice(end) }
  }
  return undefined
}

/** An unsigned LEB128, as multiformats have them. */
function varintAt(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0
  for (let place = start, shift = 1; ; place += 1, shift *= 128) {
    const byte = bytes[place] ?? 0
    value += (byte & 0x7f) * shift
    if (byte < 0x80) return { value, end: place + 1 }
  }
}
