import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Subject } from '@hexachord/protocol/names'
import type { Receipt } from '@hexachord/protocol/receipts'

export const receiptMigrations: readonly Migration[] = [
  {
    name: 'receipts-1',
    sql: `
      CREATE TABLE receipt (
        manifest TEXT NOT NULL,
        subject TEXT NOT NULL,
        receipt TEXT NOT NULL,
        PRIMARY KEY (manifest, subject)
      ) STRICT, WITHOUT ROWID;
    `,
  },
]

/** What this node has promised, durable before anybody sees it. */
export type ReceiptStore = {
  /** In place of an older one about the same. */
  put(receipt: Receipt): void
  get(subject: Subject, manifest: string): Receipt | undefined
  /** For every subject whose content it is. */
  ofManifest(manifest: string): Receipt[]
  remove(subject: Subject, manifest: string): void
}

export function createReceiptStore(database: Sqlite): ReceiptStore {
  const parse = ({ receipt }: { receipt: string }) => JSON.parse(receipt) as Receipt
  return {
    put(receipt) {
      database.run(
        'INSERT INTO receipt (manifest, subject, receipt) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET receipt = excluded.receipt',
        receipt.manifest,
        receipt.subject,
        JSON.stringify(receipt),
      )
    },
    get(subject, manifest) {
      const row = database.get<{ receipt: string }>(
        'SELECT receipt FROM receipt WHERE manifest = ? AND subject = ?',
        manifest,
        subject,
      )
      return row === undefined ? undefined : parse(row)
    },
    ofManifest: (manifest) =>
      database
        .all<{ receipt: string }>('SELECT receipt FROM receipt WHERE manifest = ? ORDER BY subject', manifest)
        .map(parse),
    remove(subject, manifest) {
      database.run('DELETE FROM receipt WHERE manifest = ? AND subject = ?', manifest, subject)
    },
  }
}
