import { afterEach, beforeEach } from '@jest/globals'
import { createLogger } from '../../process/index.ts'
import { openPostgres, type Postgres } from '../index.ts'
import { ownSchema } from './own-schema.ts'

const logger = createLogger({ service: 'test', level: 'silent' })

/** For each test of a file a schema of its own, and pools that are closed behind it. */
export function ownPostgres() {
  let schema: Awaited<ReturnType<typeof ownSchema>>
  let pools: Postgres[] = []

  beforeEach(async () => {
    schema = await ownSchema()
  })
  afterEach(async () => {
    for (const pool of pools) await pool.close()
    pools = []
    await schema.drop()
  })

  function open(
    options: { max?: number; statementTimeoutMs?: number; applicationName?: string } = {},
  ): Postgres {
    const pool = openPostgres({ url: schema.url, logger, ...options })
    pools.push(pool)
    return pool
  }

  return {
    /** The one of the test that runs. */
    get schema() {
      return schema
    },
    open,
    async openNotes(): Promise<Postgres> {
      const postgres = open()
      await postgres.query('CREATE TABLE note (id serial PRIMARY KEY, body text NOT NULL)')
      return postgres
    },
    async bodies(postgres: Postgres): Promise<string[]> {
      const { rows } = await postgres.query<{ body: string }>('SELECT body FROM note ORDER BY id')
      return rows.map(({ body }) => body)
    },
  }
}
