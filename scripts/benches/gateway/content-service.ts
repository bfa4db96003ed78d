import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NetworkFile, writeNetworkFile } from '@hexachord/contracts/networks'
import { createLogger } from '@hexachord/platform/process'
import type { Codec } from '@hexachord/protocol/cids'
import { createEmbeddedIpfs } from '@hexachord/storage/ipfs'
import { Wallet } from 'ethers'
import { openLogFile } from '../../local-network/log-file.ts'
import { startOwnedProcess } from '../../local-network/owned-process.ts'
import { untilReady } from '../../local-network/until-ready.ts'
import { freePort } from '../../testing/free-port.ts'

/** A server in a process of its own. */
export type Server = {
  readonly origin: string
  readonly pid: number
  close(): Promise<void>
}

const entry = fileURLToPath(new URL('../../../content-service/main.ts', import.meta.url))
const readyWithinMs = 30_000

/** Stores blocks where a content service that is started with this folder finds them. @returns their CIDs */
export async function storeBlocks(
  folder: string,
  blocks: readonly Uint8Array[],
  codec: Codec = 'raw',
): Promise<string[]> {
  const logger = createLogger({ service: 'bench', level: 'silent' })
  const ipfs = await createEmbeddedIpfs({ directory: path.join(folder, 'data'), logger, bitswap: false })
  try {
    return await Promise.all(blocks.map((bytes) => ipfs.put(bytes, codec)))
  } finally {
    await ipfs.close()
  }
}

/**
 * Starts a content service as its operator does. There is no chain: it waits for one, and meanwhile serves what it has.
 * @param options.folder where `storeBlocks` has been
 */
export async function startContentService(options: {
  folder: string
  cacheBytes: number
  /** A path that it answers once it is ready. */
  probe: string
  signal: AbortSignal
}): Promise<Server> {
  const { folder, cacheBytes, probe, signal } = options
  const [port, metricsPort, libp2pPort, chainPort] = await Promise.all(Array.from({ length: 4 }, freePort))
  const origin = `http://127.0.0.1:${port}`
  await mkdir(folder, { recursive: true })
  await writeNetworkFile(path.join(folder, 'network.json'), network)
  await writeFile(path.join(folder, 'hot.key'), Wallet.createRandom().privateKey, { mode: 0o600 })
  const log = openLogFile(path.join(folder, 'content-service.log'))
  const child = await startOwnedProcess({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', entry],
    cwd: folder,
    log,
    env: {
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      PUBLIC_URL: origin,
      DATA_DIR: path.join(folder, 'data'),
      RPC_URL: `http://127.0.0.1:${chainPort}`,
      NETWORK_FILE: path.join(folder, 'network.json'),
      OPERATOR_ADDRESS: Wallet.createRandom().address,
      HOT_KEY_FILE: path.join(folder, 'hot.key'),
      LIBP2P_PORT: String(libp2pPort),
      CAPACITY_BYTES: '10GiB',
      CACHE_BYTES: String(cacheBytes),
      ALLOW_PRIVATE_ADDRESSES: 'true',
      // nginx writes no log, either.
      LOG_LEVEL: 'warn',
    },
  })
  const isReady = async (probing: AbortSignal) => (await fetch(origin + probe, { signal: probing })).ok
  await untilReady({ name: 'content-service', child, log, isReady, deadlineMs: readyWithinMs, signal })
  return {
    origin,
    pid: child.pid,
    async close() {
      await child.stop()
    },
  }
}

export const network: NetworkFile = {
  name: 'bench',
  chainId: 31_337,
  firstBlock: 0,
  finalityBlocks: 0,
  epochBlocks: 100,
  bytesPerToken: '1000000',
  minimumStakeWei: '1',
  contracts: {
    catalog: Wallet.createRandom().address,
    operatorRegistry: Wallet.createRandom().address,
    stakeVault: Wallet.createRandom().address,
    token: Wallet.createRandom().address,
  },
}
