import { type Migration, openSqlite } from '@hexachord/platform/sqlite'
import { isCid, parseCid } from '@hexachord/protocol/cids'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { type Hash, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { partsOfUnits, unitsOfBlocks } from '@hexachord/protocol/payments'
import { LRUCache } from 'lru-cache'

/** Where a block stands in a track that has a price. */
export type PaidBlock = {
  readonly subject: Subject
  readonly track: Hash
  /** Undefined for a part of the original file, which is not sold by units. */
  readonly unit: number | undefined
  /** How much of its unit it is: less than one where several segments share it. */
  readonly part: number
}

/** Which blocks are paid for, and as which units: an index that can be made again from the tracks at any time. */
export type PaidBlocks = {
  /** Takes up a track's segments, and its original file, in the place of what was known of the track before. Of a premium
   * track keys are sold and no blocks: what is encrypted anybody may copy. */
  add(subject: Subject, track: LoadedTrack): void
  remove(subject: Subject): void
  has(subject: Subject, manifest: string): boolean
  /** What a track was taken up with, and how many units are sold of it; undefined where none is. */
  wholeOf(subject: Subject): { readonly manifest: string; readonly units: number } | undefined
  /** All tracks that have it, those that were taken up first before others. Synchronous, from memory for blocks that were
   * asked about lately. */
  of(cid: string): readonly PaidBlock[]
  /** The same of one track, however many others have the block. */
  ofTrack(cid: string, subject: Subject): PaidBlock | undefined
  isEmpty(): boolean
  close(): void
}

const migrations: readonly Migration[] = [
  {
    name: 'paid-blocks-1',
    sql: `
      CREATE TABLE paid_track (id INTEGER PRIMARY KEY, subject TEXT NOT NULL UNIQUE, manifest TEXT NOT NULL) STRICT;
      CREATE TABLE paid_block (
        digest BLOB NOT NULL,
        track INTEGER NOT NULL REFERENCES paid_track (id) ON DELETE CASCADE,
        -- null for a part of the original file
        unit INTEGER,
        -- segments of its rendition that share the unit
        parts INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (digest, track)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX paid_block_by_track ON paid_block (track);
      CREATE INDEX paid_track_by_manifest ON paid_track (manifest);
    `,
  },
  { name: 'paid-blocks-2', sql: 'DROP INDEX paid_track_by_manifest' },
]

/** What is remembered of blocks, most of which are free, counted by tracks: some 100 bytes each. */
const blocksKept = 65_536
const free: readonly PaidBlock[] = []

// No limit: those that sell nothing, of whom there may be any number, would hide the one that does.
export const paidBlocksQuery = `SELECT subject, unit, parts FROM paid_block JOIN paid_track ON paid_track.id = track
  WHERE digest = ? ORDER BY track`
const ofTrackQuery = `SELECT subject, unit, parts FROM paid_track JOIN paid_block ON track = paid_track.id
  WHERE subject = ? AND digest = ?`

type Row = { readonly subject: Subject; readonly unit: number | null; readonly parts: number }

const wholeQuery = `SELECT manifest, (SELECT MAX(unit) FROM paid_block WHERE track = paid_track.id) AS last
  FROM paid_track WHERE subject = ?`

/** @param path of a SQLite file of its own */
export function openPaidBlocks(path: string): PaidBlocks {
  const database = openSqlite(path, { migrations })
  const known = new LRUCache<string, readonly PaidBlock[]>({
    maxSize: blocksKept,
    sizeCalculation: (blocks) => Math.max(1, blocks.length),
  })
  let isEmpty = false

  function changed(): void {
    known.clear()
    isEmpty = database.get('SELECT 1 FROM paid_track LIMIT 1') === undefined
  }

  function look(cid: string): readonly PaidBlock[] {
    if (!isCid(cid)) return free
    const rows = database.all<Row>(paidBlocksQuery, parseCid(cid).digest)
    return rows.length === 0 ? free : rows.map(blockOf)
  }

  changed()
  return {
    add(subject, track) {
      database.transaction(() => {
        // It keeps its place among those that have the same blocks.
        const { id } = database.get<{ id: number }>(
          `INSERT INTO paid_track (subject, manifest) VALUES (?, ?)
           ON CONFLICT (subject) DO UPDATE SET manifest = excluded.manifest RETURNING id`,
          ...[subject, track.cid],
        ) ?? { id: 0 }
        database.run('DELETE FROM paid_block WHERE track = ?', id)
        const insert =
          'INSERT INTO paid_block (digest, track, unit, parts) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING'
        const sold = track.manifest.keyHolders === undefined ? unitsOfBlocks(track) : []
        const parts = partsOfUnits(track)
        for (const [cid, unit] of sold) {
          database.run(insert, parseCid(cid).digest, id, unit, parts.get(cid) ?? 1)
        }
        for (const [, { '/': cid }] of track.original?.blocks ?? []) {
          database.run(insert, parseCid(cid).digest, id, null, 1)
        }
      })
      changed()
    },
    remove(subject) {
      const { changes } = database.run('DELETE FROM paid_track WHERE subject = ?', subject)
      if (changes > 0) changed()
    },
    has: (subject, manifest) =>
      database.get('SELECT 1 FROM paid_track WHERE subject = ? AND manifest = ?', subject, manifest) !==
      undefined,
    wholeOf(subject) {
      const found = database.get<{ manifest: string; last: number | null }>(wholeQuery, subject)
      if (found === undefined || found.last === null) return undefined
      return { manifest: found.manifest, units: found.last + 1 }
    },
    of(cid) {
      if (isEmpty) return free
      const found = known.get(cid)
      if (found !== undefined) return found
      const blocks = look(cid)
      known.set(cid, blocks)
      return blocks
    },
    ofTrack(cid, subject) {
      if (!isCid(cid)) return undefined
      const row = database.get<Row>(ofTrackQuery, subject, parseCid(cid).digest)
      return row && blockOf(row)
    },
    isEmpty: () => isEmpty,
    close: () => database.close(),
  }
}

function blockOf({ subject, unit, parts }: Row): PaidBlock {
  return { subject, track: subjectToBytes32(subject), unit: unit ?? undefined, part: 1 / parts }
}
