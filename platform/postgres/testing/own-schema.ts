import { randomBytes } from 'node:crypto'
import { createLogger } from '../../process/index.ts'
import { openPostgres, type Postgres } from '../index.ts'

/**
 * A schema of the test's own in the database that `DATABASE_URL` names. Its `url` makes it the default schema of
 * every connection.
 */
export async function ownSchema(): Promise<{ url: string; name: string; drop: () => Promise<void> }> {
  const given = process.env.DATABASE_URL
  if (given === undefined) throw new Error('DATABASE_URL must name a Postgres database')
  const name = `test_${randomBytes(6).toString('hex')}`
  const url = new URL(given)
  url.searchParams.set('options', `-c search_path=${name},public`)
  const admin: Postgres = openPostgres({
    url: given,
    logger: createLogger({ service: 'test', level: 'silent' }),
    max: 1,
  })
  await admin.query(`CREATE SCHEMA ${name}`)
  return {
    url: url.href,
    name,
    async drop() {
      await admin.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`)
      await admin.close()
    },
  }
}
