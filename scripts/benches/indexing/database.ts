import path from 'node:path'
import pg from 'pg'
import { removePostgresData, startPostgres } from '../../local-network/engines/index.ts'
import { freePort } from '../../testing/free-port.ts'

/** A Postgres with its own settings, which every indexer uses in its turn. */
export type BenchDatabase = {
  /** @returns the URL of an empty database */
  makeAnew(name: string): Promise<string>
  urlOf(name: string): string
  /** The one field of the one row. */
  ask(name: string, text: string): Promise<string>
  close(): Promise<void>
}

export async function startDatabase(folder: string, signal: AbortSignal): Promise<BenchDatabase> {
  const directory = path.join(folder, 'postgres')
  const postgres = await startPostgres({ directory, port: await freePort(), signal })
  const urlOf = (name: string) => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href

  async function query(url: string, text: string): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: url, query_timeout: 60_000 })
    await client.connect()
    try {
      return await client.query({ text, rowMode: 'array' })
    } finally {
      await client.end()
    }
  }

  return {
    urlOf,
    async makeAnew(name) {
      await query(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      await query(postgres.url, `CREATE DATABASE ${name}`)
      // What the last run left to do is no part of the next one.
      await query(postgres.url, 'CHECKPOINT')
      return urlOf(name)
    },
    async ask(name, text) {
      const { rows } = await query(urlOf(name), text)
      return String(rows[0]?.[0])
    },
    async close() {
      await postgres.close()
      await removePostgresData(directory)
    },
  }
}
