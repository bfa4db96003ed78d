import { readFileSync } from 'node:fs'

/** The environment variable with the path of the description, set for the suites that share one network. */
export const testNetworkVariable = 'HEXACHORD_TEST_NETWORK'

/** What a test file knows of the network that was started for its suite; it lives in another process. */
export type TestNetwork = {
  directory: string
  networkFile: string
  logDirectory: string
  chainId: number
  urls: {
    chain: string
    creator: string
    discovery: string
    content: string[]
    database: string
    redis: string
  }
  operators: { name: string; address: string; hotKey: string; endpoint: string; peerId: string }[]
}

/** The network of this suite, or undefined where a suite has none. */
export function describeTestNetwork(): TestNetwork | undefined {
  const file = process.env[testNetworkVariable]
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, 'utf8')) as TestNetwork)
}

/** The network of this suite. Throws where a suite has none. */
export function testNetwork(): TestNetwork {
  const network = describeTestNetwork()
  if (network === undefined) {
    throw new Error(
      `No network was started for this test: run it by scripts/test, in the suite of its folder`,
    )
  }
  return network
}
