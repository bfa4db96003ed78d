import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Redis } from 'ioredis'
import { findProgram, redisServer } from '../../setup/programs.ts'
import { SetupError } from '../../setup/setup-error.ts'
import { thisMachine } from '../host.ts'
import { openLogFile } from '../log-file.ts'
import { startOwnedProcess } from '../owned-process.ts'
import { requireFreePort } from '../ports.ts'
import { untilReady } from '../until-ready.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { readOrMakePassword } from './secret-file.ts'

const readyWithinMs = 15_000

/**
 * Starts a Redis of our own, with a password, without persistence: it holds queues and rate
 * limits only, and every service rebuilds them from its own database. Throws SetupError when
 * redis-server is not on the PATH, NotReadyError when it does not come up.
 */
export async function startRedis(options: EngineOptions): Promise<Engine> {
  const { directory, port, host = thisMachine, signal } = options
  const command = findProgram(redisServer.command)
  if (command === undefined) {
    throw new SetupError(`redis-server was not found. Install it, for example: apt-get install redis-server`)
  }
  await mkdir(directory, { recursive: true })
  const { password } = await readOrMakePassword(path.join(directory, 'password'))
  const configFile = path.join(directory, 'redis.conf')
  await writeFile(configFile, configuration({ address: host.address, port, directory, password }), {
    mode: 0o600,
  })

  const log = openLogFile(options.logFile ?? path.join(directory, 'redis.log'))
  await requireFreePort(port, 'Redis')
  const child = await startOwnedProcess({ ...host.within(command, [configFile]), cwd: directory, log })
  const url = `redis://:${password}@${host.address}:${port}`
  await untilReady({
    name: 'Redis',
    child,
    log,
    deadlineMs: readyWithinMs,
    signal,
    isReady: () => answersPing(url),
  })
  return {
    url,
    pid: child.pid,
    exited: child.exited,
    async close() {
      await child.stop()
    },
    async kill() {
      await child.kill()
    },
  }
}

function configuration(options: {
  address: string
  port: number
  directory: string
  password: string
}): string {
  const { address, port, directory, password } = options
  const lines = [
    `bind ${address}`,
    'protected-mode yes',
    `port ${port}`,
    `requirepass ${password}`,
    'daemonize no',
    `dir "${directory.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
    'appendonly no',
    'save ""',
    'maxmemory 256mb',
    // Bull: a queue must refuse new jobs rather than lose old ones.
    'maxmemory-policy noeviction',
    'logfile ""',
  ]
  return `${lines.join('\n')}\n`
}

async function answersPing(url: string): Promise<boolean> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 1_000,
    commandTimeout: 1_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // connect() below rejects with the same error; without a listener ioredis prints it as unhandled.
  let failure: Error | undefined
  client.on('error', (error) => {
    failure = error
  })
  try {
    await client.connect()
    return (await client.ping()) === 'PONG'
  } catch (error) {
    throw failure ?? error
  } finally {
    client.disconnect()
  }
}
