import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Postgres, PostgresClient, Statements } from '@hexachord/platform/postgres'
import { IndexMoved } from '../indexing/checkpoint.ts'
import { patiently } from '../indexing/patiently.ts'
import { buildingSchema, makeSideTables, swapSideTables } from './side-tables.ts'

/** How far a rebuild is. */
export type Rebuild = {
  /** What is made anew. */
  readonly tables: string[]
  /** What is being made. */
  readonly step: string
  /** Rows that this step has read. */
  readonly done: number
  /** About how many it will read, as the database estimates; null where it has not counted yet. */
  readonly total: number | null
  readonly startedAtMs: number
}

/** Tables that are made beside those that are read, batch by batch. */
export type Building = {
  readonly tables: readonly string[]
  /** @param reads the table from which it is made, for an estimate */
  begin(step: string, reads: string): Promise<void>
  /** A transaction in which names mean the tables that are being made, where there are such.
   * @param rowsOf how many rows it has read
   * @throws IndexMoved, before anything is written, when another process builds by now */
  batch<Result>(
    work: (client: PostgresClient) => Promise<Result>,
    rowsOf?: (result: Result) => number,
  ): Promise<Result>
  /** The same for statements that read whole tables, which take as long as they do. The signal ends them. */
  whole(work: (client: Statements) => Promise<void>): Promise<void>
  /** Puts the tables in their place, in one transaction together with `work`, which comes first and may take as long as
   * it does: readers are kept out for the moment after it. The signal ends it. */
  swap(work: (client: Statements) => Promise<void>): Promise<void>
}

/** How long readers may be kept waiting behind a swap that waits for other readers, at first and at last (ms). Below a
 * second it is the swap that gives way in a deadlock; from there on the database ends a vacuum that stands in the way. */
const firstLockMs = 500
const longestLockMs = 4_000

/** Takes over from an earlier attempt, of this process or another one, and begins anew. */
export async function openBuilding({
  postgres,
  tables,
  now,
  onProgress,
  signal,
}: {
  postgres: Postgres
  tables: string[]
  /** ms */
  now: () => number
  onProgress: (rebuild: Rebuild) => void
  signal: AbortSignal
}): Promise<Building> {
  const id = randomUUID()
  let rebuild: Rebuild = { tables, step: 'begin', done: 0, total: null, startedAtMs: now() }
  await postgres.query(
    `INSERT INTO rebuild (id, tables, step, done, started_at_ms) VALUES ($1, $2, $3, 0, $4)
     ON CONFLICT (only_row) DO UPDATE SET id = excluded.id, tables = excluded.tables, step = excluded.step, done = 0,
       total = NULL, started_at_ms = excluded.started_at_ms`,
    [id, tables, rebuild.step, rebuild.startedAtMs],
  )
  const migrations = await postgres.transaction(async (client) => {
    await claim(client)
    await makeSideTables(client, tables)
    return countMigrations(client)
  })

  /** Proves that nobody else builds, until the end of the transaction: its names would mean live tables then. */
  async function claim(client: Statements): Promise<void> {
    const { step, done, total } = rebuild
    const { rowCount } = await client.query(
      'UPDATE rebuild SET step = $2, done = $3, total = $4 WHERE id = $1',
      [id, step, done, total],
    )
    if (rowCount !== 1) throw new IndexMoved('another process has begun to rebuild the index')
  }

  async function say(next: Rebuild): Promise<void> {
    rebuild = next
    await postgres.withClient(claim)
    onProgress(rebuild)
  }

  async function trySwap(work: (client: Statements) => Promise<void>, lockMs: number): Promise<boolean> {
    const swap = async (client: Statements) => {
      await claim(client)
      if ((await countMigrations(client)) !== migrations) {
        throw new IndexMoved('the database was migrated while tables of its old form were made')
      }
      await work(client)
      await client.query(`SET LOCAL lock_timeout = ${lockMs}`)
      await swapSideTables(client, tables)
      await client.query('DELETE FROM rebuild')
    }
    try {
      await patiently(postgres, swap, { signal })
      return true
    } catch (error) {
      if (isLockTimeout(error)) return false
      throw error
    }
  }

  return {
    tables,
    async begin(step, reads) {
      const { rows } = await postgres.query<{ rows: number }>(
        'SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = to_regclass($1)',
        [tables.includes(reads) ? `${buildingSchema}.${reads}` : `public.${reads}`],
      )
      const estimate = rows[0]?.rows ?? -1
      await say({ ...rebuild, step, done: 0, total: estimate < 0 ? null : estimate })
    },
    async batch(work, rowsOf = () => 0) {
      signal.throwIfAborted()
      const result = await postgres.transaction(async (client) => {
        await claim(client)
        await client.query(`SET LOCAL search_path = ${buildingSchema}, public`)
        return work(client)
      })
      rebuild = { ...rebuild, done: rebuild.done + rowsOf(result) }
      onProgress(rebuild)
      return result
    },
    async whole(work) {
      signal.throwIfAborted()
      const patient = async (client: Statements) => {
        await claim(client)
        await client.query(`SET LOCAL search_path = ${buildingSchema}, public`)
        await work(client)
      }
      await patiently(postgres, patient, { signal })
    },
    async swap(work) {
      await say({ ...rebuild, step: 'swap', done: 0, total: null })
      for (
        let lockMs = firstLockMs;
        !(await trySwap(work, lockMs));
        lockMs = Math.min(lockMs * 2, longestLockMs)
      ) {
        await delay(lockMs, undefined, { signal })
      }
    },
  }
}

/** The rebuild under way, whichever process is at it, or that waits for a writer. */
export async function readRebuild(client: Pick<Postgres, 'query'>): Promise<Rebuild | null> {
  const { rows } = await client.query<Omit<Rebuild, 'startedAtMs'> & { started_at_ms: number }>(
    'SELECT tables, step, done, total, started_at_ms FROM rebuild',
  )
  if (rows[0] === undefined) return null
  const { started_at_ms: startedAtMs, ...rebuild } = rows[0]
  return { ...rebuild, startedAtMs }
}

async function countMigrations(client: Statements): Promise<number> {
  const { rows } = await client.query<{ count: number }>('SELECT count(*) FROM public.schema_migration')
  return rows[0]?.count ?? 0
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}
