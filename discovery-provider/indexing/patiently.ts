import type { Postgres, PostgresClient, Statements } from '@hexachord/platform/postgres'

/** So long that it is no limit (ms): indexes of large tables take minutes. */
const unlimitedMs = 2 ** 31 - 1
/** How soon the database gives up when this process is gone (ms). */
const noticedWithinMs = 1_000

/** A transaction whose statements may take as long as they do, as whole tables are read, unless this process is gone.
 * @param signal ends the statement under way, and with it the transaction
 * @param durable as of `Postgres.transaction`
 * @throws the signal's reason */
export function patiently<Result>(
  postgres: Postgres,
  work: (client: Statements) => Promise<Result>,
  { signal, durable }: { signal?: AbortSignal; durable?: boolean } = {},
): Promise<Result> {
  return postgres.transaction(
    async (client) => {
      await client.query(`SET LOCAL client_connection_check_interval = ${noticedWithinMs}`)
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      let cancelling: Promise<unknown> | undefined
      const cancel = () => {
        const [session] = rows
        cancelling = postgres.query('SELECT pg_cancel_backend($1)', [session?.pid]).catch(() => undefined)
      }
      signal?.addEventListener('abort', cancel, { once: true })
      // The driver has a time-out of its own, of which its types know nothing.
      const query = (text: string, values?: unknown[]) => {
        signal?.throwIfAborted()
        return client.query(Object.assign({ text, query_timeout: unlimitedMs }, values && { values }))
      }
      try {
        return await work({ query: query as PostgresClient['query'] })
      } catch (error) {
        signal?.throwIfAborted()
        throw error
      } finally {
        signal?.removeEventListener('abort', cancel)
        // It must not meet a later statement of this connection.
        await cancelling
      }
    },
    { statementTimeoutMs: 0, ...(durable !== undefined && { durable }) },
  )
}
