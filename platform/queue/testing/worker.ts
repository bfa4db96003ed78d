import { createLogger } from '../../process/index.ts'
import { createQueue } from '../index.ts'

/** A process that begins a job and never ends it, for tests that kill it. Arguments: Redis URL, queue name. */
const [, , redisUrl = '', name = ''] = process.argv
const queue = createQueue<{ note: string }>({
  name,
  redisUrl,
  logger: createLogger({ service: 'worker', level: 'silent' }),
  process: async ({ id }) => {
    process.stdout.write(`began ${id}\n`)
    await new Promise(() => {})
  },
})
await queue.add('unlucky', { note: 'survives' })
