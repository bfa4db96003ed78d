import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type LocalNetwork, preferredPorts, startLocalNetwork } from '../local-network/index.ts'
import type { SuiteContext } from './suites.ts'
import { type TestNetwork, testNetworkVariable } from './test-network.ts'

/** Blocks come this often while a test runs, so that none has to wait for a block as a user would. */
const blockEveryMs = 200

export type SuiteNetwork = {
  /** For the processes of the suite: how they find the network. */
  environment: Record<string, string>
  crashes(): { name: string }[]
  stop(): Promise<void>
}

/** Starts the one network of a suite, in a folder and on ports of its own, and describes it in a file. */
export async function startSuiteNetwork(context: SuiteContext): Promise<SuiteNetwork> {
  const { folder, signal, report } = context
  const network = await startLocalNetwork({
    directory: path.join(folder, 'network'),
    ports: preferredPorts(3, testPortBase()),
    blockEveryMs,
    signal,
    report,
  })
  try {
    const file = path.join(folder, 'network-of-this-suite.json')
    await writeFile(file, JSON.stringify(describe(network), null, 2))
    return {
      environment: { [testNetworkVariable]: file },
      crashes: () => network.processes.crashes(),
      stop: () => network.stop(),
    }
  } catch (error) {
    await network.stop()
    throw error
  }
}

/**
 * Where the ports of a test's network begin: away from the documented ones, on which a developer's own
 * network may run, and seldom the same for two runs that start at once.
 */
export function testPortBase(): number {
  return 12_000 + Math.floor(Math.random() * 150) * 100
}

function describe(network: LocalNetwork): TestNetwork {
  const { directory, networkFile, logDirectory, urls, operators, chain } = network
  return { directory, networkFile, logDirectory, chainId: chain.chainId, urls, operators }
}
