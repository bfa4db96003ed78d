import { readFile } from 'node:fs/promises'
import { pricedTracksStatement } from '@hexachord/discovery-provider/reading'
import pg from 'pg'

/** What stands beside a provider: the driver's own pool, as large as a provider's, asked for the same rows by the same
 * statement. In a process of its own, like the provider. Arguments: database, file with ids, seconds, askers. */
const [url, file, seconds, askers] = process.argv.slice(2)
if (url === undefined || file === undefined) throw new Error('it takes a database and a file with ids')

const ids = (await readFile(file, 'utf8')).trim().split('\n')
const pool = new pg.Pool({ connectionString: url, max: 10 })
const endMs = performance.now() + Number(seconds) * 1000
let asked = 0

async function ask(): Promise<void> {
  while (performance.now() < endMs) {
    const id = ids[asked++ % ids.length]
    const { rows } = await pool.query({ ...pricedTracksStatement, values: [[id]] })
    if (rows.length !== 1) throw new Error(`there is no track ${id}`)
  }
}

const startedAt = performance.now()
await Promise.all(Array.from({ length: Number(askers) }, ask))
console.log(JSON.stringify({ perSecond: (asked * 1000) / (performance.now() - startedAt) }))
await pool.end()
