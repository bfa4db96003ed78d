import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { openPostgres } from '@hexachord/platform/postgres'
import { createLogger } from '@hexachord/platform/process'
import { type DiscoveryStatus, discoveryStatusSchema } from '@hexachord/protocol/rest'
import { eventually, freePort, type TestNetwork } from '@hexachord/scripts/testing'

const program = fileURLToPath(new URL('../../discovery-provider/main.ts', import.meta.url))

/** A discovery provider of another operator on the network of the suite, with a database of its own. */
export type AnotherProvider = {
  readonly origin: string
  /** What it has logged. */
  lines(): string
  /** Ends it, and starts it again on the same database. */
  restart(variables?: Record<string, string>): Promise<void>
  /** Ends it and drops its database. */
  remove(): Promise<void>
}

/** @param name of its database
 * @param variables beside those that it cannot do without */
export async function startAnotherProvider(
  network: TestNetwork,
  name: string,
  variables: Record<string, string> = {},
): Promise<AnotherProvider> {
  await administer(network, `CREATE DATABASE ${name}`)
  const database = new URL(network.urls.database)
  database.pathname = `/${name}`
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  let lines = ''

  function start(more: Record<string, string>) {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program], {
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        PORT: String(port),
        METRICS_PORT: '0',
        PUBLIC_URL: origin,
        RPC_URL: network.urls.chain,
        NETWORK_FILE: network.networkFile,
        DATABASE_URL: database.href,
        ALLOW_PRIVATE_ADDRESSES: 'true',
        ...more,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout.on('data', (chunk: Buffer) => {
      lines += chunk
    })
    return child
  }

  let provider = start(variables)
  async function end(): Promise<void> {
    if (provider.exitCode !== null) return
    const ended = once(provider, 'exit')
    provider.kill('SIGTERM')
    await ended
  }

  return {
    origin,
    lines: () => lines,
    async restart(more = {}) {
      await end()
      provider = start(more)
    },
    async remove() {
      await end()
      await administer(network, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
    },
  }
}

export async function discoveryStatusOf(origin: string): Promise<DiscoveryStatus> {
  const response = await fetch(`${origin}/status`, { signal: AbortSignal.timeout(5_000) })
  return discoveryStatusSchema.parse(await response.json())
}

/** Waits until two providers, which both go on meanwhile, have the same state hash at a block at which both stand. */
export async function untilSameState(one: string, other: string): Promise<void> {
  await eventually(async () => Promise.all([discoveryStatusOf(one), discoveryStatusOf(other)]), {
    describe: 'both have the same state hash at the same block',
    deadlineMs: 20_000,
    until: ([first, second]) =>
      first.stateHashBlock === second.stateHashBlock && first.stateHash === second.stateHash,
  })
}

async function administer({ urls }: TestNetwork, statement: string): Promise<void> {
  const logger = createLogger({ service: 'test', level: 'silent' })
  const postgres = openPostgres({ url: urls.database, logger, max: 1 })
  try {
    await postgres.query(statement)
  } finally {
    await postgres.close()
  }
}
