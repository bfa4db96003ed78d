/** Of UTF-8, for one code unit. */
const bytesPerUnit = 3
/** Of `CopyData`: its letter, and a length of four bytes that counts itself. */
const headerBytes = 5
const copyData = 0x64
/** Messages lie one behind the other in memory of this size, which is used again when the last of them is sent: what is
 * left to the collector of garbage lies until it looks at old objects, and makes it do so several times as often. */
const draftBytes = 2 * 1024 * 1024
/** So much of it is kept for the next rows. */
const keptDrafts = 2

/** What is sent as it is: pg would copy the rows into a message of its own. */
export type CopyMessage = {
  readonly bytes: Buffer
  /** To be called when the bytes are no longer needed. */
  readonly sent: () => void
}

/** Memory for messages, and how many of those in it are not sent yet. */
type Sheet = { readonly bytes: Buffer; unsent: number }

/** Where rows are written before they are sent: one place for all, since it is made and left again without a wait. */
export const draft = createDraft()
export type Draft = typeof draft

function createDraft() {
  const free: Sheet[] = []
  let sheet = sheetOf(draftBytes)
  let { bytes } = sheet
  let start = 0
  let end = headerBytes

  function sheetOf(length: number): Sheet {
    return (length <= draftBytes && free.pop()) || { bytes: Buffer.allocUnsafeSlow(length), unsent: 0 }
  }

  function keep(left: Sheet): void {
    const isFree = left !== sheet && left.unsent === 0
    if (isFree && left.bytes.length === draftBytes && free.length < keptDrafts) free.push(left)
  }

  /** What is written already moves to other memory; what was taken stays where it is. */
  function grow(needed: number): void {
    const left = sheet
    sheet = sheetOf(Math.max(draftBytes, needed, 2 * (end - start)))
    left.bytes.copy(sheet.bytes, 0, start, end)
    bytes = sheet.bytes
    end -= start
    start = 0
    keep(left)
  }

  function provide(length: number): void {
    if (end + length > bytes.length) grow(end - start + length)
  }

  function putInt32(value: number, at: number): void {
    bytes[at] = value >> 24
    bytes[at + 1] = value >> 16
    bytes[at + 2] = value >> 8
    bytes[at + 3] = value
  }

  return {
    /** Of what is written since it was taken or cleared. */
    get length() {
      return end - start - headerBytes
    },
    write(text: string): void {
      provide(bytesPerUnit * text.length + 1)
      end += bytes.write(text, end)
    },
    /** Behind a text there is always room for it. */
    end(byte: number): void {
      bytes[end] = byte
      end += 1
    },
    writeBytes(from: Uint8Array): void {
      provide(from.length)
      bytes.set(from, end)
      end += from.length
    },
    writeInt16(value: number): void {
      provide(2)
      bytes[end] = value >> 8
      bytes[end + 1] = value
      end += 2
    },
    writeInt32(value: number): void {
      provide(4)
      putInt32(value, end)
      end += 4
    },
    /** A text behind the number of its bytes, as all that follows. */
    writeCountedText(text: string): void {
      provide(4 + bytesPerUnit * text.length)
      const length = bytes.write(text, end + 4)
      putInt32(length, end)
      end += 4 + length
    },
    /** @param value a safe integer */
    writeCountedInt64(value: number): void {
      provide(12)
      putInt32(8, end)
      putInt32(Math.floor(value / 2 ** 32), end + 4)
      putInt32(value, end + 8)
      end += 12
    },
    /** @param parts of hex digits; all together are one value
     * @throws TypeError for anything else */
    writeCountedHex(parts: readonly string[]): void {
      let expected = 0
      for (const digits of parts) expected += digits.length / 2
      provide(4 + expected)
      let length = 0
      for (const digits of parts) length += bytes.write(digits, end + 4 + length, 'hex')
      // It ends where it finds anything else.
      if (length !== expected) throw new TypeError('these are no pairs of hex digits')
      putInt32(length, end)
      end += 4 + length
    },
    clear(): void {
      end = start + headerBytes
    },
    /** What there is, as a message; it begins anew behind it. */
    take(): CopyMessage {
      const message = bytes.subarray(start, end)
      message[0] = copyData
      message.writeUInt32BE(message.length - 1, 1)
      const taken = sheet
      taken.unsent += 1
      start = end
      if (start + headerBytes > bytes.length) grow(headerBytes)
      end = start + headerBytes
      return {
        bytes: message,
        sent() {
          taken.unsent -= 1
          keep(taken)
        },
      }
    },
  }
}
