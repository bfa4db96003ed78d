import pg from 'pg'
import type { Statements } from './open-postgres.ts'

/** Bytes that somebody has as hex digits already, which is how COPY takes them. */
export class HexBytes {
  readonly digits: string

  /** @param digits pairs of hex digits and nothing else, which is not checked again */
  constructor(digits: string) {
    this.digits = digits
  }
}

/**
 * What a column can be given. Bytes become `bytea`, a Date `timestamptz`, an array a Postgres array, any other object
 * JSON. JSON whose top is an array must come as its text.
 */
export type CopyValue =
  | null
  | undefined
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | HexBytes
  | readonly CopyValue[]
  | { readonly [key: string]: unknown }

/** So much is sent at once, and one COPY. What is longer goes in several, and no more of it is in memory. */
const copyBytes = 8 * 1024 * 1024

/**
 * Appends rows by COPY, many times faster than INSERT. Runs inside whatever transaction `client` is in. What fits into
 * one COPY (8 MiB) is sent before the promise is returned, as by `client.query`.
 * @param table a name, or `schema.name`
 * @returns how many rows were written
 * @throws TypeError for text with a NUL character, which Postgres cannot hold, and for rows of the wrong width
 */
export async function copyRows(
  client: Statements,
  table: string,
  columns: readonly string[],
  rows: Iterable<readonly CopyValue[]>,
): Promise<number> {
  const target = table.split('.').map(pg.escapeIdentifier).join('.')
  const names = columns.map(pg.escapeIdentifier).join(', ')
  let written = 0
  for (const chunk of chunks(columns.length, rows)) {
    written += await copyChunk(client, `COPY ${target} (${names}) FROM STDIN`, chunk)
  }
  return written
}

function copyChunk(client: Statements, command: string, chunk: Message): Promise<number> {
  return new Promise((resolve, reject) => {
    const copy = new CopyIn(command, chunk, (error, result) =>
      error ? reject(error) : resolve(result.rowCount ?? 0),
    )
    client.query(copy)
  })
}

/** The published types leave out what is for COPY. */
type CopyConnection = pg.Connection & { endCopyFrom(): void }

/** A COPY whose rows are sent with it: nobody waits for the server to ask for them, so that other statements can be sent
 * right behind. The server leaves rows alone that follow on a COPY which it has refused. */
class CopyIn extends pg.Query {
  readonly #command: string
  readonly #message: Message

  /** @param message CopyData: pg would copy the rows into one of its own */
  constructor(
    command: string,
    message: Message,
    callback: (error: Error | undefined, result: pg.ResultBuilder) => void,
  ) {
    super(command, callback)
    this.#command = command
    this.#message = message
  }

  override submit = (connection: pg.Connection): void => {
    const copying = connection as CopyConnection
    copying.query(this.#command)
    // As pg does: a connection that is gone says so by itself.
    const { bytes, sent } = this.#message
    if (copying.stream.writable) copying.stream.write(bytes, sent)
    else sent()
    copying.endCopyFrom()
  }

  handleCopyInResponse(): void {}
}

/** Rows are written straight into bytes: to join texts first costs as much again, and leaves all of them to collect. */
function* chunks(width: number, rows: Iterable<readonly CopyValue[]>): Generator<Message> {
  // Rows that could not be written may have left something.
  draft.clear()
  for (const row of rows) {
    if (row.length !== width) throw new TypeError(`a row has ${row.length} values for ${width} columns`)
    for (let place = 0; place < width; place += 1) {
      const value = row[place]
      if (value instanceof HexBytes) {
        // Most of what there is to write: to join it to a text first would copy all of it.
        draft.write(bytesMark)
        draft.write(value.digits)
      } else draft.write(copyField(value))
      draft.end(place < width - 1 ? tab : lineEnd)
    }
    if (draft.length >= copyBytes) yield draft.take()
  }
  if (draft.length > 0) yield draft.take()
}

/** What hex digits of `bytea` begin with. */
const bytesMark = '\\\\x'
const tab = 0x09
const lineEnd = 0x0a
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

type Message = {
  readonly bytes: Buffer
  /** To be called when the bytes are no longer needed. */
  readonly sent: () => void
}

/** Memory for messages, and how many of those in it are not sent yet. */
type Sheet = { readonly bytes: Buffer; unsent: number }

/** Where rows are written before they are sent: one place for all, since it is made and left again without a wait. */
const draft = createDraft()

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

  return {
    /** Of what is written since it was taken or cleared. */
    get length() {
      return end - start - headerBytes
    },
    write(text: string): void {
      const needed = bytesPerUnit * text.length + 1
      if (end + needed > bytes.length) grow(end - start + needed)
      end += bytes.write(text, end)
    },
    /** Behind a text there is always room for it. */
    end(byte: number): void {
      bytes[end] = byte
      end += 1
    },
    clear(): void {
      end = start + headerBytes
    },
    /** What there is, as a message; it begins anew behind it. */
    take(): Message {
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

/** One value in the text format of COPY; NULL is `\\N`, so a backslash is always doubled. */
function copyField(value: CopyValue): string {
  if (typeof value === 'number') return String(value)
  // Hardly any text has such a character, and to look is several times as fast as to replace.
  if (typeof value === 'string' && !/[\\\n\r\t\0]/.test(value)) return value
  if (value === null || value === undefined) return '\\N'
  if (value instanceof Uint8Array) return `${bytesMark}${hexOf(value)}`
  return textOf(value).replaceAll(/[\\\n\r\t]/g, escapeCharacter)
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  return '\\\\'
}

function textOf(value: Exclude<CopyValue, null | undefined>): string {
  if (typeof value === 'string') return withoutNul(value)
  if (typeof value !== 'object') return String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof HexBytes) return `\\x${value.digits}`
  if (value instanceof Uint8Array) return `\\x${hexOf(value)}`
  if (isArray(value)) return `{${value.map(arrayElement).join(',')}}`
  return withoutNul(JSON.stringify(value))
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** `Array.isArray` does not narrow read-only arrays. */
function isArray(value: object): value is readonly CopyValue[] {
  return Array.isArray(value)
}

function arrayElement(value: CopyValue): string {
  if (value === null || value === undefined) return 'NULL'
  if (Array.isArray(value)) return textOf(value)
  const text = textOf(value)
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"` : `"${text}"`
}

function withoutNul(text: string): string {
  if (text.includes('\0'))
    throw new TypeError('Postgres cannot store a NUL character in text; remove it before')
  return text
}
