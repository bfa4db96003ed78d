import { allStarted } from './all-started.ts'
import { startAnvil, startPostgres, startRedis } from './engines/index.ts'
import { type HostOf, originOf } from './host.ts'
import type { Layout } from './layout.ts'
import type { Ports } from './ports.ts'
import type { Processes } from './processes.ts'
import type { Backends } from './services.ts'

/** Services end before the engines that they stand on. */
export const layers = { engine: 0, service: 1 }

const databaseName = 'hexachord_discovery'

/**
 * Starts chain, Postgres and Redis, all at once and kept up by `processes`; one whose URL is given is used as
 * it is and not started. Postgres is always on this machine, since it runs as an account of its own. Throws when one does not come up, once all have either come up or failed.
 */
export async function startEngines(options: {
  layout: Layout
  ports: Ports
  processes: Processes
  hostOf: HostOf
  given: { databaseUrl?: string | undefined; redisUrl?: string | undefined }
  report(line: string): void
  signal: AbortSignal
}): Promise<Backends> {
  const { layout, ports, processes, hostOf, given, report, signal } = options
  let { databaseUrl = '', redisUrl = '' } = given
  const place = (name: string) => ({
    directory: layout.dataDirectory(name),
    logFile: layout.log(name),
    host: hostOf(name),
    signal,
  })

  async function launchPostgres() {
    const postgres = await startPostgres({ ...place('postgres'), port: ports.postgres })
    databaseUrl = await postgres.createDatabase(databaseName)
    return postgres
  }

  async function launchRedis() {
    const redis = await startRedis({ ...place('redis'), port: ports.redis })
    redisUrl = redis.url
    return redis
  }

  const launchChain = () => startAnvil({ ...place('chain'), port: ports.chain, report })
  const starts = [processes.start('chain', launchChain, layers.engine)]
  if (databaseUrl === '') starts.push(processes.start('postgres', launchPostgres, layers.engine))
  if (redisUrl === '') starts.push(processes.start('redis', launchRedis, layers.engine))
  await allStarted(starts)
  return { rpcUrl: originOf(ports.chain, hostOf('chain')), databaseUrl, redisUrl }
}
