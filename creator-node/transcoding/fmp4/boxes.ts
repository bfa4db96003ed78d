/** Bytes that are no fragmented MP4 of the kind that ffmpeg writes for us. */
export class Fmp4Error extends Error {
  override readonly name = 'Fmp4Error'
}

/** A box of ISO/IEC 14496-12: its four-letter type and where its body lies. */
export type Box = { readonly type: string; readonly start: number; readonly end: number }

const headerBytes = 8
const longHeaderBytes = 16

/** The boxes that stand one after the other between two offsets. @throws Fmp4Error when one is cut off */
export function boxesIn(view: DataView, start = 0, end = view.byteLength): Box[] {
  const boxes: Box[] = []
  let offset = start
  while (offset < end) {
    if (offset + headerBytes > end) throw new Fmp4Error(`a box at byte ${offset} is cut off`)
    const short = view.getUint32(offset)
    const type = String.fromCharCode(...[4, 5, 6, 7].map((place) => view.getUint8(offset + place)))
    const { header, size } = sizeOf(view, { offset, end, short })
    if (size < header || offset + size > end)
      throw new Fmp4Error(`box '${type}' at byte ${offset} is cut off`)
    boxes.push({ type, start: offset + header, end: offset + size })
    offset += size
  }
  return boxes
}

/** ISO/IEC 14496-12 4.2: a size of 1 means that 64 bits follow, of 0 that the box goes on to the end. */
function sizeOf(view: DataView, { offset, end, short }: { offset: number; end: number; short: number }) {
  if (short === 0) return { header: headerBytes, size: end - offset }
  if (short !== 1) return { header: headerBytes, size: short }
  if (offset + longHeaderBytes > end) throw new Fmp4Error(`a box at byte ${offset} is cut off`)
  return { header: longHeaderBytes, size: Number(view.getBigUint64(offset + headerBytes)) }
}

/** The one box at the end of a path of types, such as `moov/trak/mdia`. @throws Fmp4Error when it is not there */
export function boxAt(view: DataView, path: string, within: { start: number; end: number }): Box {
  let place: { start: number; end: number } = within
  for (const type of path.split('/')) {
    const found = boxesIn(view, place.start, place.end).find((box) => box.type === type)
    if (found === undefined) throw new Fmp4Error(`box '${type}' of '${path}' is missing`)
    place = found
  }
  return place as Box
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Runs a reader; a read past the end of the bytes is a malformed file and no bug. @throws Fmp4Error */
export function readingBoxes<Result>(read: () => Result): Result {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof RangeError) throw new Fmp4Error('a box is shorter than its fields', { cause })
    throw cause
  }
}
