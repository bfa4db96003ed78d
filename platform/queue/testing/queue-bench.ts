import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { createLogger } from '../../process/index.ts'
import { createQueue, type Queue, type QueueOptions } from '../index.ts'
import { type OwnRedis, ownRedis } from './own-redis.ts'

export type Note = { note: string }

/** A Redis and a queue name of a test's own, and the queues that it opens on them. */
export type QueueBench = {
  readonly redis: OwnRedis
  readonly name: string
  open(options: Partial<QueueOptions<Note>> & Pick<QueueOptions<Note>, 'process'>): Queue<Note>
  flush(): Promise<void>
  /** Ids in the waiting list, as Redis has them. */
  waiting(): Promise<string[]>
  /** Clients that Redis knows, among them the one that asks. */
  connections(): Promise<number>
  close(): Promise<void>
}

export async function createQueueBench(): Promise<QueueBench> {
  const redis = await ownRedis()
  await redis.start()
  const name = `test-${randomBytes(4).toString('hex')}`
  const logger = createLogger({ service: 'test', level: 'silent' })
  const queues: Queue<Note>[] = []

  async function withClient<Result>(work: (client: Redis) => Promise<Result>): Promise<Result> {
    const client = new Redis(redis.url)
    try {
      return await work(client)
    } finally {
      client.disconnect()
    }
  }

  return {
    redis,
    name,
    open(options) {
      const queue = createQueue<Note>({
        name,
        redisUrl: redis.url,
        logger,
        backoffMs: 1,
        closeGraceMs: 200,
        ...options,
      })
      queues.push(queue)
      return queue
    },
    connections: () =>
      withClient(
        async (client) =>
          String(await client.client('LIST'))
            .trim()
            .split('\n').length,
      ),
    async flush() {
      await withClient((client) => client.flushall())
    },
    waiting: () => withClient((client) => client.lrange(`hexachord:${name}:wait`, 0, -1)),
    async close() {
      await Promise.all(queues.map((queue) => queue.close()))
      await redis.kill()
    },
  }
}
