import { Redis } from 'ioredis'
import { type LocalNetwork, layOut } from '../local-network/index.ts'
import { pause } from '../local-network/pause.ts'
import { diskUse } from './disk-use.ts'
import { figureOf, processUse } from './process-use.ts'
import type { Point } from './trend.ts'

/** What is measured of a process. */
export const quantities = [
  'rssBytes',
  'heapBytes',
  'descriptors',
  'blockBytes',
  'sqliteBytes',
  'walBytes',
  'otherBytes',
  'keys',
] as const
export type Quantity = (typeof quantities)[number]

/** All measurements of a run: by process, and of each by quantity. */
export type Samples = {
  of(process: string, quantity: Quantity): readonly Point[]
  processes(): readonly string[]
  add(process: string, quantity: Quantity, point: Point): void
}

export function createSamples(): Samples {
  const points = new Map<string, Map<Quantity, Point[]>>()
  return {
    of: (process, quantity) => points.get(process)?.get(quantity) ?? [],
    processes: () => [...points.keys()],
    add(process, quantity, point) {
      const known = points.get(process) ?? new Map<Quantity, Point[]>()
      points.set(process, known)
      const series = known.get(quantity) ?? []
      known.set(quantity, series)
      series.push(point)
    },
  }
}

const askWithinMs = 2_000

/**
 * Measures every process of the network again and again until `ending`; what does not answer just then is left out.
 * @param options.metricsUrl where a process publishes its figures, if it does
 */
export async function sampleProcesses(options: {
  network: LocalNetwork
  samples: Samples
  everyMs: number
  elapsedMs: () => number
  metricsUrl: (process: string) => string | undefined
  ending: AbortSignal
}): Promise<void> {
  const { network, samples, elapsedMs } = options
  const layout = layOut(network.directory)

  async function sample(process: string): Promise<void> {
    const pid = network.processes.pid(process)
    if (pid === undefined) return
    const atMs = elapsedMs()
    const [use, heapBytes, disk] = await Promise.all([
      processUse(pid),
      heapOf(options.metricsUrl(process)),
      diskUse(layout.dataDirectory(process)),
    ])
    // Killed while it was looked at.
    if (use === undefined || network.processes.pid(process) !== pid) return
    const add = (quantity: Quantity, value: number, life = pid) =>
      samples.add(process, quantity, { atMs, value, life })
    add('rssBytes', use.rssBytes)
    add('descriptors', use.descriptors)
    if (heapBytes !== undefined) add('heapBytes', heapBytes)
    // What lies on the disk outlives the process.
    add('blockBytes', disk.blocks, 0)
    add('sqliteBytes', disk.sqlite, 0)
    add('walBytes', disk.wal, 0)
    add('otherBytes', disk.other, 0)
  }

  async function sampleRedis(): Promise<void> {
    const redis = new Redis(network.urls.redis, {
      lazyConnect: true,
      maxRetriesPerRequest: 0,
      connectTimeout: askWithinMs,
      commandTimeout: askWithinMs,
      retryStrategy: () => null,
    })
    // It is told by the rejection of what was asked, too.
    redis.on('error', () => undefined)
    try {
      await redis.connect()
      samples.add('redis', 'keys', { atMs: elapsedMs(), value: await redis.dbsize(), life: 0 })
    } finally {
      redis.disconnect()
    }
  }

  do {
    await Promise.all(network.processes.names().map(sample))
    await sampleRedis()
  } while (await pause(options.everyMs, options.ending))
}

async function heapOf(url: string | undefined): Promise<number | undefined> {
  if (url === undefined) return undefined
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(askWithinMs) })
    return figureOf(await response.text(), 'nodejs_heap_size_used_bytes')
  } catch {
    // It is being killed or started; its memory is known from /proc all the same.
    return undefined
  }
}
