import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { layOut } from '@hexachord/scripts/local-network'
import type { FaultNetwork } from './fault-network.ts'

/** A service as an operator starts it: nobody waits for it to be ready, nobody starts it again. */
export type ServiceByHand = {
  /** Its log so far. */
  log(): string
  /** Its exit code, or null while it runs. */
  exitCode(): number | null
  /** Ends it. */
  close(): Promise<void>
}

const entries: Record<string, string> = {
  'creator-node': 'creator-node/main.ts',
  'discovery-provider': 'discovery-provider/main.ts',
  'content-service-1': 'content-service/main.ts',
}

/** @param changes variables that differ from those of the network's own service of this name */
export function startByHand(
  network: FaultNetwork,
  name: string,
  changes: Record<string, string> = {},
): ServiceByHand {
  const file = layOut(network.directory).environmentFile(name)
  const entry = fileURLToPath(new URL(`../../${entries[name]}`, import.meta.url))
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', `--env-file=${file}`, entry],
    {
      cwd: network.directory,
      // What stands in the environment goes before what stands in the file.
      env: {
        PATH: process.env.PATH,
        HEXACHORD_RUN: process.env.HEXACHORD_RUN,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        ...changes,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk))
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    log: () => log,
    exitCode: () => child.exitCode,
    async close() {
      if (child.exitCode === null) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(timer)
    },
  }
}
