/** Bytes of a stream in pieces of the reader's own choosing. Holds no more than it was last asked for and one
 * chunk of the stream. */
export type ByteReader = {
  /** Bytes that were taken so far. */
  readonly offset: number
  /** The next bytes; fewer only at the end of the stream. */
  take(length: number): Promise<Uint8Array>
}

export function createByteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const chunks = source[Symbol.asyncIterator]()
  let waiting: Uint8Array[] = []
  let available = 0
  let offset = 0

  async function fill(length: number): Promise<void> {
    while (available < length) {
      const { done, value } = await chunks.next()
      if (done === true) return
      waiting.push(value)
      available += value.length
    }
  }

  return {
    get offset() {
      return offset
    },
    async take(wanted) {
      await fill(wanted)
      const bytes = new Uint8Array(Math.min(wanted, available))
      let filled = 0
      while (filled < bytes.length) {
        const [first = new Uint8Array(), ...rest] = waiting
        const part = first.subarray(0, bytes.length - filled)
        bytes.set(part, filled)
        filled += part.length
        waiting = part.length < first.length ? [first.subarray(part.length), ...rest] : rest
      }
      available -= filled
      offset += filled
      return bytes
    },
  }
}
