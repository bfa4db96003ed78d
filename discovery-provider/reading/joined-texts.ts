/** Taken at once: a piece of memory for each answer would keep the garbage collector at work. */
const pieceBytes = 1_000_000

/** Puts texts together, in UTF-8, one answer behind the other in large pieces of memory. A piece is given back when none
 * of the answers in it is needed any more: only for what is sent and then forgotten.
 * @param parts strings, or texts that are in UTF-8 already */
export function createJoin(): (parts: readonly (string | Buffer)[]) => Buffer {
  let piece = Buffer.alloc(0)
  let used = 0
  return (parts) => {
    let size = 0
    for (const part of parts) size += typeof part === 'string' ? Buffer.byteLength(part) : part.length
    if (used + size > piece.length) {
      piece = Buffer.allocUnsafeSlow(Math.max(size, pieceBytes))
      used = 0
    }
    const start = used
    for (const part of parts) {
      used += typeof part === 'string' ? piece.write(part, used) : part.copy(piece, used)
    }
    return piece.subarray(start, used)
  }
}
