import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type LocalNetwork, preferredPorts, startLocalNetwork, tailOfLog } from '../local-network/index.ts'
import type { SuiteContext } from './suites.ts'
import { type TestNetwork, testNetworkVariable } from './test-network.ts'
import { testPortBase } from './test-ports.ts'

/** Blocks come this often while a test runs, so that none has to wait for a block as a user would. */
const blockEveryMs = 200

export type SuiteNetwork = {
  /** For the processes of the suite: how they find the network. */
  environment: Record<string, string>
  /** The names of processes that ended by themselves, with their last words. */
  crashes(): { name: string; lastWords: string }[]
  stop(): Promise<void>
}

/** Starts the one network of a suite, in a folder and on ports of its own, and describes it in a file. */
export async function startSuiteNetwork(context: SuiteContext): Promise<SuiteNetwork> {
  const { folder, signal, report } = context
  const crashes: { name: string; lastWords: string }[] = []
  const network = await startLocalNetwork({
    directory: path.join(folder, 'network'),
    ports: preferredPorts(3, testPortBase()),
    blockEveryMs,
    signal,
    report,
    // Read at once: the log goes on when the process is started again.
    onCrash: (name, logFile) => crashes.push({ name, lastWords: tailOfLog(logFile) }),
  })
  try {
    const file = path.join(folder, 'network-of-this-suite.json')
    await writeFile(file, JSON.stringify(describe(network), null, 2))
    return {
      environment: { [testNetworkVariable]: file },
      crashes: () => crashes,
      stop: () => network.stop(),
    }
  } catch (error) {
    await network.stop()
    throw error
  }
}

function describe(network: LocalNetwork): TestNetwork {
  const { directory, networkFile, logDirectory, urls, operators, chain } = network
  return { directory, networkFile, logDirectory, chainId: chain.chainId, urls, operators }
}
