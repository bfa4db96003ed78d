import type { Migration, Sqlite } from '@hexachord/platform/sqlite'

export const scrubMigrations: readonly Migration[] = [
  {
    name: 'scrub-1',
    sql: 'CREATE TABLE scrub (one INTEGER PRIMARY KEY CHECK (one = 1), report TEXT NOT NULL) STRICT;',
  },
]

/** One pass over everything that is held. */
export type ScrubReport = {
  /** ms since 1970. */
  startedAt: number
  /** Null while it is under way. */
  finishedAt: number | null
  tracks: number
  blocks: number
  bytes: number
  corrupt: number
  missing: number
}

export type ScrubStore = {
  /** The last pass, or the one under way. */
  last(): ScrubReport | null
  put(report: ScrubReport): void
}

export function createScrubStore(database: Sqlite): ScrubStore {
  return {
    last() {
      const row = database.get<{ report: string }>('SELECT report FROM scrub')
      return row === undefined ? null : (JSON.parse(row.report) as ScrubReport)
    },
    put(report) {
      database.run(
        'INSERT INTO scrub (one, report) VALUES (1, ?) ON CONFLICT DO UPDATE SET report = excluded.report',
        JSON.stringify(report),
      )
    },
  }
}
