import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeNetworkFile } from '@hexachord/contracts/networks'
import { type Domain, domainOf } from '@hexachord/protocol/signing'
import { Wallet } from 'ethers'
import { startRedis } from '../../local-network/engines/index.ts'
import { openLogFile } from '../../local-network/log-file.ts'
import { startOwnedProcess } from '../../local-network/owned-process.ts'
import { untilReady } from '../../local-network/until-ready.ts'
import { freePort } from '../../testing/free-port.ts'

/** A real creator node in a process of its own, with Redis, disk and ffmpeg. There is no chain: none is asked between
 * the last byte of an upload and its manifest. */
export type CreatorProcess = {
  readonly origin: string
  readonly domain: Domain
  readonly pid: number
  /** Where it keeps a block. */
  blockFile(cid: string): string
  close(): Promise<void>
}

const entry = fileURLToPath(new URL('../../../creator-node/main.ts', import.meta.url))
const readyWithinMs = 60_000
const contract = (number: number) => `0x${String(number).repeat(40)}`

export async function startCreatorProcess(folder: string, signal: AbortSignal): Promise<CreatorProcess> {
  const [port, metricsPort, redisPort, noChainPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ])
  const redis = await startRedis({ directory: path.join(folder, 'redis'), port: redisPort, signal })
  try {
    const network = {
      ...{ name: 'bench', chainId: 31_337, firstBlock: 0, finalityBlocks: 12, epochBlocks: 100 },
      ...{ bytesPerToken: '1000000', minimumStakeWei: '1' },
      contracts: {
        ...{
          catalog: contract(1),
          operatorRegistry: contract(2),
          stakeVault: contract(3),
          token: contract(4),
        },
      },
    }
    const networkFile = path.join(folder, 'network.json')
    await writeNetworkFile(networkFile, network)
    const origin = `http://127.0.0.1:${port}`
    const log = openLogFile(path.join(folder, 'creator-node.log'))
    const child = await startOwnedProcess({
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', entry],
      cwd: folder,
      env: {
        ...{ HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: String(metricsPort), PUBLIC_URL: origin },
        ...{ DATA_DIR: path.join(folder, 'data'), NETWORK_FILE: networkFile, REDIS_URL: redis.url },
        ...{ RPC_URL: `http://127.0.0.1:${noChainPort}`, OPERATOR_ADDRESS: contract(5) },
        ...{ HOT_KEY_FILE: await keyFile(folder, 'hot'), RELAYER_KEY_FILE: await keyFile(folder, 'relayer') },
        ...{ LIBP2P_PORT: '0', ALLOW_PRIVATE_ADDRESSES: 'true', FREE_DISK_BYTES: '1MiB' },
      },
      log,
    })
    await untilReady({
      ...{ name: 'the creator node', child, log, signal, deadlineMs: readyWithinMs },
      isReady: async (probe) => (await fetch(`${origin}/status`, { signal: probe })).ok,
    })
    return {
      ...{ origin, domain: domainOf(network), pid: child.pid },
      blockFile: (cid) => path.join(folder, 'data/blocks', cid.slice(-3, -1), cid),
      async close() {
        await child.stop()
        await redis.close()
      },
    }
  } catch (error) {
    await redis.close()
    throw error
  }
}

async function keyFile(folder: string, name: string): Promise<string> {
  const file = path.join(folder, `${name}.key`)
  await writeFile(file, Wallet.createRandom().privateKey, { mode: 0o600 })
  return file
}
