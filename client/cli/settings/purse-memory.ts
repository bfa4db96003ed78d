import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parsed } from '@hexachord/protocol/checked'
import type { Address } from '@hexachord/protocol/names'
import { tillJson } from '@hexachord/protocol/payments'
import { emptyState, type PurseMemory, purseStateSchema, receiptSchema } from '@hexachord/sdk/paying'

/** How long another command of the same user may keep this one waiting: it signs and writes, which takes milliseconds. */
const busyMs = 10_000

export type FilePurseMemory = PurseMemory & { close(): void }

const schema = `
  CREATE TABLE IF NOT EXISTS purse (key TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS receipt (id INTEGER PRIMARY KEY, key TEXT NOT NULL, receipt TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS receipt_by_key ON receipt (key, id);
`

/** Purses of this user, by the address of their spending key, in one SQLite file that only its owner reads. A commit is
 * on the disk before it returns (`synchronous=FULL`), and commands that run at the same time wait for each other, so
 * that no crash and no second command makes this one sign less than was signed. */
export async function filePurseMemory(directory: string, key: Address): Promise<FilePurseMemory> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'purse.sqlite')
  // SQLite gives the files beside it the same mode.
  await (await open(path, 'a', 0o600)).close()
  const database = new DatabaseSync(path)
  database.exec(
    `PRAGMA busy_timeout = ${busyMs}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${schema}`,
  )
  const readState = database.prepare('SELECT state FROM purse WHERE key = ?')
  const writeState = database.prepare('INSERT OR REPLACE INTO purse (key, state) VALUES (?, ?)')
  const addReceipt = database.prepare('INSERT INTO receipt (key, receipt) VALUES (?, ?)')
  const readReceipts = database.prepare('SELECT receipt FROM receipt WHERE key = ? ORDER BY id')
  // One at a time: what is read while another one signs must not be part of its transaction.
  let last: Promise<unknown> = Promise.resolve()

  function inTurn<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    const next = last.then(work)
    last = next.catch(() => undefined)
    return next
  }

  async function inTransaction<Value>(work: () => Value | Promise<Value>): Promise<Value> {
    database.exec('BEGIN IMMEDIATE')
    try {
      const value = await work()
      database.exec('COMMIT')
      return value
    } catch (error) {
      database.exec('ROLLBACK')
      throw error
    }
  }

  function load() {
    const text = readState.get(key)?.state
    return text === undefined ? emptyState() : parsed(purseStateSchema, JSON.parse(String(text)))
  }

  return {
    load: () => inTurn(load),
    update: (change, receipts = []) =>
      inTurn(() =>
        inTransaction(async () => {
          const state = await change(load())
          writeState.run(key, tillJson(state))
          for (const receipt of receipts) addReceipt.run(key, tillJson(receipt))
          return state
        }),
      ),
    receipts: () =>
      inTurn(() =>
        readReceipts.all(key).map(({ receipt }) => parsed(receiptSchema, JSON.parse(String(receipt)))),
      ),
    close: () => database.close(),
  }
}
