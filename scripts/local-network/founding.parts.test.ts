import { readFile, rm, stat } from 'node:fs/promises'
import { operatorRegistryAbi, stakeVaultAbi } from '@hexachord/contracts/generated'
import { readNetworkFile } from '@hexachord/contracts/networks'
import { rulesVersion } from '@hexachord/protocol/actions'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Contract, type JsonRpcProvider } from 'ethers'
import { freePort } from '../testing/free-port.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { openLocalChain, quickProvider } from './chain.ts'
import { localRules } from './contracts.ts'
import { type Anvil, createMiner, type Miner, startAnvil } from './engines/index.ts'
import { foundNetwork } from './founding.ts'
import { type Layout, layOut } from './layout.ts'
import { stakePerOperatorWei } from './operators.ts'
import { preferredPorts } from './ports.ts'

let folder: TemporaryFolder
let layout: Layout
let anvil: Anvil
let miner: Miner
let provider: JsonRpcProvider
const ports = preferredPorts(3)
const signal = AbortSignal.timeout(120_000)

beforeEach(async () => {
  folder = await makeTemporaryFolder()
  layout = layOut(folder.path)
  anvil = await startAnvil({ directory: layout.dataDirectory('chain'), port: await freePort(), signal })
  miner = createMiner({ rpcUrl: anvil.url, everyMs: 10 })
  provider = quickProvider(anvil.url)
}, 30_000)
afterEach(async () => {
  provider.destroy()
  await miner.close()
  await anvil.close()
  await folder.remove()
})

const found = (changed = ports) =>
  foundNetwork({ layout, ports: changed, chain: openLocalChain(anvil.url), signal })

async function registry() {
  const network = await readNetworkFile(layout.networkFile)
  return {
    network,
    contract: new Contract(network.contracts.operatorRegistry, operatorRegistryAbi, provider),
    vault: new Contract(network.contracts.stakeVault, stakeVaultAbi, provider),
  }
}

describe('founding a local network', () => {
  test('registers and stakes one operator for each node, and none is active without an epoch that knows it', async () => {
    const operators = await found()
    expect(operators.map((operator) => operator.name)).toEqual([
      'creator-node',
      'content-service-1',
      'content-service-2',
      'content-service-3',
    ])
    const { contract, vault, network } = await registry()
    for (const operator of operators) {
      const known = await contract.getFunction('operator').staticCall(operator.address)
      expect(known.endpoint).toBe(operator.endpoint)
      expect(known.hotKey).toBe(operator.hotKey)
      expect(known.capacityBytes > 0n).toBe(operator.name !== 'creator-node')
      expect(await contract.getFunction('isActive').staticCall(operator.address)).toBe(true)
      expect(await vault.getFunction('stakeOf').staticCall(operator.address, operator.address)).toBe(
        stakePerOperatorWei,
      )
      expect(operator.peerId).toMatch(/^12D3KooW/)
      expect((await stat(layout.keyFile(operator.name, 'cold'))).mode & 0o777).toBe(0o600)
    }
    expect(network.rulesVersions).toEqual([{ fromBlock: network.firstBlock, version: rulesVersion }])
    const { streamEscrow = '', trackRegistry = '' } = network.payments ?? {}
    for (const address of [streamEscrow, trackRegistry]) {
      expect(await provider.getCode(address)).not.toBe('0x')
    }
    // The set that counts now is the one at the first block of this epoch: it holds the last registration.
    const head = await provider.getBlockNumber()
    const epochStart =
      Math.floor((head - localRules.finalityBlocks) / localRules.epochBlocks) * localRules.epochBlocks
    expect(epochStart).toBeGreaterThan(network.firstBlock)
    const activeThen = operators.map((operator) =>
      contract.getFunction('isActive').staticCall(operator.address, { blockTag: epochStart }),
    )
    expect(await Promise.all(activeThen)).toEqual([true, true, true, true])
  }, 60_000)

  test('a second time it changes nothing, and sends nothing', async () => {
    const first = await found()
    const before = await provider.getBlockNumber()
    const file = await readFile(layout.networkFile, 'utf8')
    expect(await found()).toEqual(first)
    expect(await readFile(layout.networkFile, 'utf8')).toBe(file)
    await miner.close()
    for (let block = before + 1; block <= (await provider.getBlockNumber()); block++) {
      expect((await provider.getBlock(block))?.transactions).toEqual([])
    }
  }, 60_000)

  test('tells the registry when a node has moved to another port', async () => {
    await found()
    const [creator] = await found({ ...ports, creator: 4700 })
    const { contract } = await registry()
    const known = await contract.getFunction('operator').staticCall(creator?.address)
    expect(known.endpoint).toBe('http://127.0.0.1:4700')
  }, 60_000)

  test('says what to do when the chain has lost the contracts', async () => {
    await found()
    await miner.close()
    await anvil.close()
    await rm(layout.dataDirectory('chain'), { recursive: true })
    anvil = await startAnvil({
      directory: layout.dataDirectory('chain'),
      port: Number(new URL(anvil.url).port),
      signal,
    })
    await expect(found()).rejects.toThrow('Start anew with --reset')
  }, 60_000)
})
