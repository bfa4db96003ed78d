import type { Writable } from 'node:stream'
import pg from 'pg'
import type { Logger } from '../process/index.ts'
import type { Prepared } from './prepared.ts'

/** One connection, inside a transaction or on loan. */
export type PostgresClient = pg.PoolClient

/** What statements are sent by: a connection, or what sends them otherwise. */
export type Statements = Pick<PostgresClient, 'query'>

/** Rows as an object per row; the caller's type is its promise about the columns it selected. */
export type Row = pg.QueryResultRow

/** A bounded pool of connections. */
export type Postgres = {
  /** One statement on any connection. */
  query<Result extends Row = Row>(
    statement: string | Prepared,
    values?: readonly unknown[],
  ): Promise<pg.QueryResult<Result>>
  /** Lends one connection. One that fails with its connection is thrown away rather than put back. */
  withClient<Result>(work: (client: PostgresClient) => Promise<Result>): Promise<Result>
  /** Commits when `work` resolves, rolls back when it rejects. Statements that `work` does not wait for one by one are sent
   * at once, and done in their order; it waits for all in the end. */
  transaction<Result>(
    work: (client: PostgresClient) => Promise<Result>,
    options?: {
      isolation?: 'read committed' | 'repeatable read' | 'serializable'
      readOnly?: boolean
      /** Of each statement. @default the pool's */
      statementTimeoutMs?: number
      /** Whether the server waits until it is on the disk. Without that the last moments of work may be gone after a crash
       * of the server, whole transactions in their order: only for what is made again from elsewhere. @default true */
      durable?: boolean
    },
  ): Promise<Result>
  /** Rejects unless the server answers; for `/ready`. */
  ping(): Promise<void>
  /** Waits for connections on loan, then closes all. */
  close(): Promise<void>
}

const defaultMaxConnections = 10
const defaultStatementTimeoutMs = 30_000
const connectTimeoutMs = 5_000
const idleTimeoutMs = 30_000

/**
 * A pool whose every statement has a time-out on the server and on this side.
 *
 * `bigint` columns are read as numbers (and an error past 2^53), `numeric` as decimal strings, `timestamptz` as Date.
 * The server need not be there yet: the first query says so.
 */
export function openPostgres(options: {
  url: string
  logger: Logger
  /** Connections at most. @default 10 */
  max?: number
  /** @default 30 s; 0 for none */
  statementTimeoutMs?: number
  /** Shown in the server's list of sessions. */
  applicationName?: string
}): Postgres {
  const statementTimeoutMs = options.statementTimeoutMs ?? defaultStatementTimeoutMs
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max ?? defaultMaxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    statement_timeout: statementTimeoutMs === 0 ? false : statementTimeoutMs,
    // The server's own time-out comes first; this one is for a server that is gone.
    ...(statementTimeoutMs === 0 ? {} : { query_timeout: statementTimeoutMs + 5_000 }),
    idle_in_transaction_session_timeout: 60_000,
    application_name: options.applicationName ?? 'hexachord',
    keepAlive: true,
    // Statements of a transaction that do not wait for each other are sent at once, and the server does one after another.
    pipeline: true,
    types: { getTypeParser },
  })
  // An idle connection that the server closes is replaced by the pool; unheard, the event would end the process.
  pool.on('error', (err) => options.logger.warn({ err }, 'an idle database connection was lost'))

  async function withClient<Result>(work: (client: PostgresClient) => Promise<Result>): Promise<Result> {
    const client = await pool.connect()
    let lost: Error | undefined
    const lose = (error: Error) => {
      lost = error
    }
    client.on('error', lose)
    try {
      return await work(client)
    } catch (error) {
      if (error instanceof RollbackFailed) lost = error
      throw error
    } finally {
      client.off('error', lose)
      client.release(lost)
    }
  }

  return {
    query: (statement, values = []) => pool.query(statement, [...values]),
    withClient,
    transaction: (
      work,
      { isolation = 'read committed', readOnly, statementTimeoutMs, durable = true } = {},
    ) =>
      withClient(async (client) => {
        const begin = [`BEGIN ISOLATION LEVEL ${isolation}${readOnly ? ' READ ONLY' : ''}`]
        if (statementTimeoutMs !== undefined)
          begin.push(`SET LOCAL statement_timeout = ${statementTimeoutMs}`)
        if (!durable) begin.push('SET LOCAL synchronous_commit = off')
        await client.query(begin.join('; '))
        try {
          const result = await inOneWrite(client, () => work(client))
          await client.query('COMMIT')
          return result
        } catch (error) {
          await rollBack(client, error)
          throw error
        }
      }),
    async ping() {
      await pool.query('SELECT 1')
    },
    close: () => pool.end(),
  }
}

/** What is sent before it waits for the first time leaves in one system call: a message in each would wake the server as
 * often, and take as long as to make what is sent. */
function inOneWrite<Sent>(client: PostgresClient, send: () => Sent): Sent {
  const { stream } = (client as unknown as { connection: { stream: Writable } }).connection
  stream.cork()
  try {
    return send()
  } finally {
    stream.uncork()
  }
}

/** The connection is in an unknown state and must not be used again; `cause` is what made the roll-back necessary. */
class RollbackFailed extends Error {
  override readonly name = 'RollbackFailed'
}

async function rollBack(client: PostgresClient, reason: unknown): Promise<void> {
  try {
    await client.query('ROLLBACK')
  } catch (error) {
    const message = reason instanceof Error ? reason.message : String(reason)
    throw new RollbackFailed(`${message} (and the connection was lost: ${String(error)})`, { cause: reason })
  }
}

const parseType: typeof pg.types.getTypeParser = pg.types.getTypeParser

function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.INT8 && format !== 'binary') return safeInteger
  if (oid === textArray && format !== 'binary') return textsOf
  return parseType(oid, format as 'text')
}

/** The OID of `text[]`, as the server's own catalogue has it from the start. */
const textArray: number = 1009
const parseTexts = parseType(textArray, 'text')

/** Lists of ids and words have nothing in them that is quoted, and are read several times as fast. */
function textsOf(text: string): unknown {
  if (!text.startsWith('{') || /["\\]/.test(text) || text.lastIndexOf('{') > 0) return parseTexts(text)
  if (text === '{}') return []
  const items = text.slice(1, -1).split(',')
  return items.includes('NULL') ? items.map((item) => (item === 'NULL' ? null : item)) : items
}

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`the bigint ${text} does not fit a number; use numeric for values past 2^53`)
  }
  return value
}
