import path from 'node:path'
import {
  type LocalNetwork,
  type LocalNetworkOptions,
  preferredPorts,
  startLocalNetwork,
} from '@hexachord/scripts/local-network'
import {
  type EventuallyOptions,
  eventually,
  makeTemporaryFolder,
  workerNumber,
} from '@hexachord/scripts/testing'

/** A network of one test file, to be broken. */
export type FaultNetwork = LocalNetwork & {
  /** For files of the test. */
  readonly folder: string
  /** Waits for a condition; a deadline that passes shows the logs of this network. */
  eventually<T>(condition: (signal: AbortSignal) => T | Promise<T>, options: EventuallyOptions<T>): Promise<T>
  /** Ends it and removes everything. */
  close(): Promise<void>
}

export async function startFaultNetwork(options: Partial<LocalNetworkOptions> = {}): Promise<FaultNetwork> {
  const { contentServices = 3 } = options
  const temporary = await makeTemporaryFolder()
  try {
    const network = await startLocalNetwork({
      directory: path.join(temporary.path, 'network'),
      ports: preferredPorts(contentServices, freeBase()),
      contentServices,
      blockEveryMs: 200,
      // Not one with a deadline: whoever is started anew later is started with it.
      signal: new AbortController().signal,
      ...options,
    })
    return {
      ...network,
      folder: temporary.path,
      eventually: (condition, waiting) =>
        eventually(condition, { logDirectory: network.logDirectory, ...waiting }),
      async close() {
        await network.stop()
        await temporary.remove()
      },
    }
  } catch (error) {
    await temporary.remove()
    throw error
  }
}

/** Away from the documented ports, where a developer's own network may run, and from those of the worker beside us, with
 * those of its metrics 1,000 further on. */
function freeBase(): number {
  return 11_000 + workerNumber() * 3_000 + Math.floor(Math.random() * 20) * 100
}

/** JSON of one of our services. @throws for an error status */
export async function readJson<T>(url: string, signal = AbortSignal.timeout(5_000)): Promise<T> {
  const response = await fetch(url, { signal })
  if (!response.ok)
    throw new Error(`${url} answers ${response.status}: ${(await response.text()).slice(0, 500)}`)
  return (await response.json()) as T
}

/** The state hash on which all services of the network agree, once they do. */
export async function commonStateHash(network: FaultNetwork): Promise<string> {
  const { creator, discovery, content } = network.urls
  const [first = ''] = await network.eventually(
    (signal) =>
      Promise.all(
        [discovery, creator, ...content].map(async (origin) => {
          const status = await readJson<{ stateHash: string }>(`${origin}/status`, signal)
          return status.stateHash
        }),
      ),
    {
      describe: 'one state hash of all services',
      deadlineMs: 30_000,
      until: (hashes) => new Set(hashes).size === 1,
    },
  )
  return first
}
