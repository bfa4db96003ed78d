import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parsed } from '@hexachord/protocol/checked'
import * as z from 'zod'
// Past the door, behind which stands the whole node: this starts at once.
import { createInvites, inviteMigrations } from './admission/invites.ts'
import { serviceName } from './service-name.ts'

const usage = 'Usage: DATA_DIR=… node creator-node/invite.ts [COUNT] [--days DAYS]'
const dayMs = 86_400_000

const schema = z.object({
  directory: z.string('DATA_DIR must name the data directory of the creator node').min(1),
  count: z.coerce.number('COUNT must be a number').int().min(1).max(10_000),
  days: z.coerce.number('DAYS must be a number').int().min(1).max(3_650),
})

/** Makes invites for a creator node with `PUBLISHERS=invite`, which may run meanwhile, and prints one a line. */
async function run(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { days: { type: 'string', default: '30' } },
  })
  const given = { directory: process.env.DATA_DIR, count: positionals[0] ?? '1', days: values.days }
  const { directory, count, days } = parsed(schema, given)
  const path = join(directory, `${serviceName}.sqlite`)
  await access(path)
  const database = openSqlite(path, { migrations: inviteMigrations, isPart: true })
  try {
    const codes = createInvites({ database, now: Date.now }).mint(count, Date.now() + days * dayMs)
    process.stdout.write(`${codes.join('\n')}\n`)
  } finally {
    database.close()
  }
}

try {
  await run()
} catch (error) {
  const reason =
    error instanceof z.ZodError
      ? error.issues.map(({ message }) => message).join('; ')
      : error instanceof Error
        ? error.message
        : String(error)
  process.stderr.write(`${reason}\n${usage}\n`)
  process.exitCode = 1
}
