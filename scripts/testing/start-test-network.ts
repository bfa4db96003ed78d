import path from 'node:path'
import {
  type LocalNetwork,
  type LocalNetworkOptions,
  preferredPorts,
  startLocalNetwork,
} from '../local-network/index.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'
import { testPortBase } from './test-ports.ts'

/** A network for one test file that kills and breaks things. */
export type BreakableNetwork = LocalNetwork & {
  /** Stops it and removes all that it wrote. */
  remove(): Promise<void>
}

/**
 * Starts a network in a temporary folder and on free ports. A test that fails should show its logs: give
 * `logDirectory` of the network to `eventually`.
 */
export async function startTestNetwork(
  options: Pick<LocalNetworkOptions, 'signal'> & Partial<Omit<LocalNetworkOptions, 'directory' | 'ports'>>,
): Promise<BreakableNetwork> {
  const folder = await makeTemporaryFolder()
  const { contentServices = 3 } = options
  try {
    const network = await startLocalNetwork({
      blockEveryMs: 200,
      ...options,
      directory: path.join(folder.path, 'network'),
      ports: preferredPorts(contentServices, testPortBase()),
    })
    return {
      ...network,
      async remove() {
        await network.stop()
        await folder.remove()
      },
    }
  } catch (error) {
    await folder.remove()
    throw error
  }
}
