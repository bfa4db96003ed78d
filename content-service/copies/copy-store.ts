import type { Migration, Sqlite } from '@hexachord/platform/sqlite'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { HeldTrack } from '@hexachord/protocol/receipts'

export const copyMigrations: readonly Migration[] = [
  {
    name: 'copies-1',
    sql: `
      CREATE TABLE peer_listing (
        operator TEXT PRIMARY KEY,
        root TEXT NOT NULL,
        learnt_at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE peer_bucket (
        operator TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        digest TEXT NOT NULL,
        PRIMARY KEY (operator, bucket)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE peer_copy (
        operator TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        subject TEXT NOT NULL,
        manifest TEXT NOT NULL,
        PRIMARY KEY (operator, bucket, subject, manifest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX peer_copy_by_track ON peer_copy (subject, manifest);
    `,
  },
]

/** What other operators have last said that they hold. */
export type CopyStore = {
  /** Operators that hold a track, as far as learnt. */
  holders(subject: Subject, manifest: string): Address[]
  /** What was learnt of an operator, and when the last complete look at it began, in ms since 1970. */
  listing(operator: Address): { root: Hash; learntAt: number } | undefined
  /** Digest by bucket; one that is not there was never read, and is empty as far as known. */
  digests(operator: Address): Map<number, Hash>
  /** Puts one bucket in the place of what was learnt of it. @returns subjects of which the operator has other copies
   * now than before */
  replaceBucket(
    operator: Address,
    bucket: { number: number; digest: Hash; items: readonly HeldTrack[] },
  ): Subject[]
  learnt(operator: Address, root: Hash, at: number): void
  /** Forgets operators that are not among these. */
  keepOnly(operators: ReadonlySet<Address>): void
}

export function createCopyStore(database: Sqlite): CopyStore {
  const inBucket = (operator: Address, bucket: number) =>
    database.all<HeldTrack>(
      'SELECT subject, manifest FROM peer_copy WHERE operator = ? AND bucket = ?',
      operator,
      bucket,
    )
  return {
    holders: (subject, manifest) =>
      database
        .all<{ operator: Address }>(
          'SELECT operator FROM peer_copy WHERE subject = ? AND manifest = ?',
          subject,
          manifest,
        )
        .map(({ operator }) => operator),
    listing(operator) {
      const row = database.get<{ root: Hash; learnt_at: number }>(
        'SELECT root, learnt_at FROM peer_listing WHERE operator = ?',
        operator,
      )
      return row === undefined ? undefined : { root: row.root, learntAt: row.learnt_at }
    },
    digests: (operator) =>
      new Map(
        database
          .all<{ bucket: number; digest: Hash }>(
            'SELECT bucket, digest FROM peer_bucket WHERE operator = ?',
            operator,
          )
          .map(({ bucket, digest }) => [bucket, digest]),
      ),
    replaceBucket(operator, { number, digest, items }) {
      return database.transaction(() => {
        const before = new Map(inBucket(operator, number).map((item) => [keyOf(item), item]))
        const after = new Map(items.map((item) => [keyOf(item), item]))
        const changed = new Set<Subject>()
        for (const [key, { subject, manifest }] of before) {
          if (after.has(key)) continue
          changed.add(subject)
          database.run(
            'DELETE FROM peer_copy WHERE operator = ? AND bucket = ? AND subject = ? AND manifest = ?',
            operator,
            number,
            subject,
            manifest,
          )
        }
        for (const [key, { subject, manifest }] of after) {
          if (before.has(key)) continue
          changed.add(subject)
          database.run(
            'INSERT INTO peer_copy (operator, bucket, subject, manifest) VALUES (?, ?, ?, ?)',
            operator,
            number,
            subject,
            manifest,
          )
        }
        database.run(
          'INSERT INTO peer_bucket (operator, bucket, digest) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest',
          operator,
          number,
          digest,
        )
        return [...changed]
      })
    },
    learnt(operator, root, at) {
      database.run(
        `INSERT INTO peer_listing (operator, root, learnt_at) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET root = excluded.root, learnt_at = excluded.learnt_at`,
        operator,
        root,
        at,
      )
    },
    keepOnly(operators) {
      const known = database.all<{ operator: Address }>('SELECT DISTINCT operator FROM peer_bucket')
      for (const { operator } of known) {
        if (operators.has(operator)) continue
        database.transaction(() => {
          for (const table of ['peer_listing', 'peer_bucket', 'peer_copy']) {
            database.run(`DELETE FROM ${table} WHERE operator = ?`, operator)
          }
        })
      }
    },
  }
}

function keyOf({ subject, manifest }: HeldTrack): string {
  return `${subject} ${manifest}`
}
