import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeNetworkFile } from '@hexachord/contracts/networks'
import { openLogFile } from '../../local-network/log-file.ts'
import { startOwnedProcess } from '../../local-network/owned-process.ts'
import { untilReady } from '../../local-network/until-ready.ts'
import { freePort } from '../../testing/free-port.ts'
import { network, type Server } from '../gateway/content-service.ts'

const entry = fileURLToPath(new URL('../../../discovery-provider/main.ts', import.meta.url))
const readyWithinMs = 30_000

/** Starts a discovery provider as its operator does. There is no chain: it waits for one, and meanwhile answers from its
 * database. */
export async function startProvider(options: {
  folder: string
  databaseUrl: string
  /** A path that it answers once it is ready. */
  probe: string
  signal: AbortSignal
}): Promise<Server> {
  const { folder, databaseUrl, probe, signal } = options
  const [port, metricsPort, chainPort] = await Promise.all(Array.from({ length: 3 }, freePort))
  const origin = `http://127.0.0.1:${port}`
  await mkdir(folder, { recursive: true })
  await writeNetworkFile(path.join(folder, 'network.json'), network)
  const log = openLogFile(path.join(folder, 'discovery-provider.log'))
  const child = await startOwnedProcess({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', entry],
    cwd: folder,
    log,
    env: {
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      PUBLIC_URL: origin,
      RPC_URL: `http://127.0.0.1:${chainPort}`,
      NETWORK_FILE: path.join(folder, 'network.json'),
      DATABASE_URL: databaseUrl,
      LOG_LEVEL: 'warn',
    },
  })
  const isReady = async (probing: AbortSignal) => (await fetch(origin + probe, { signal: probing })).ok
  await untilReady({ name: 'discovery-provider', child, log, isReady, deadlineMs: readyWithinMs, signal })
  return {
    origin,
    pid: child.pid,
    async close() {
      await child.stop()
    },
  }
}
