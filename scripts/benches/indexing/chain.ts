import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { NetworkFile } from '@hexachord/contracts/networks'
import { createRpc, type Rpc } from '@hexachord/platform/chain'
import { actData, kinds } from '@hexachord/protocol/actions'
import { encodeCanonicalJson } from '@hexachord/protocol/canonical'
import { cidFromDigest } from '@hexachord/protocol/cids'
import { type Address, type Hash, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { signReceipt } from '@hexachord/protocol/receipts'
import { type Domain, domainOf, messageTypes } from '@hexachord/protocol/signing'
import { toQuantity, Wallet } from 'ethers'
import { quickProvider } from '../../local-network/chain.ts'
import { establishContracts, localRules } from '../../local-network/contracts.ts'
import { anvilBinary, createMiner, localChainId } from '../../local-network/engines/index.ts'
import { openLogFile } from '../../local-network/log-file.ts'
import { establishOperators } from '../../local-network/operators.ts'
import { startOwnedProcess } from '../../local-network/owned-process.ts'
import { untilReady } from '../../local-network/until-ready.ts'
import { freePort } from '../../testing/free-port.ts'
import { type Draft, writeScript } from './script.ts'

/** How actions come: a hundred in one transaction, or each in one of its own, as people send them. */
export type Layout = 'batch' | 'single'

export type BenchChain = {
  readonly rpcUrl: string
  readonly network: NetworkFile
  readonly networkFile: string
  /** The last block with actions. */
  readonly lastBlock: number
  /** The newest block: far enough above that none with actions is open for peers. */
  readonly head: number
  readonly actions: number
  /** Brings the next hundred actions to the chain's node, which keeps them until its next block. @returns the hash of the last one */
  sendMore(): Promise<Hash>
  mine(): Promise<void>
  close(): Promise<void>
}

const readyWithinMs = 60_000
const answerMs = 120_000
const actionsPerBlock = 100
const accounts = 200
/** Below this share of the blocks with actions everything is final for us; above it we keep what an undo needs. */
const finalShare = 0.8
const emptyBlocks = 100
const firstSecond = 1_700_000_000

/** A contract that calls the one in the first word with each of the calls behind it: a word of length, and the data. */
const batchAddress = '0x00000000000000000000000000000000000005ed'
const batchCode = [
  '0x6020', // where the first call begins
  '5b368110600a5700', // 0x02: stop at the end of the data
  '5b803590602001', // 0x0a: the length, and where the data begins
  '81815f37', // the data into memory
  '5f5f835f5f5f355af1', // call
  '6024575f5ffd', // what fails fails all
  '5b01600256', // 0x24: on behind the data
].join('')

/** Deploys a network with three operators on a chain of its own, and brings signed actions onto it. */
export async function buildChain(options: {
  readonly folder: string
  readonly layout: Layout
  readonly actions: number
  readonly signal: AbortSignal
}): Promise<BenchChain> {
  const { folder, layout, actions, signal } = options
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const rpcUrl = `http://127.0.0.1:${port}`
  const log = openLogFile(path.join(folder, 'anvil.log'))
  const child = await startOwnedProcess({
    command: anvilBinary(),
    args: [
      ...['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(localChainId), '--no-mining'],
      ...['--accounts', String(accounts), '--balance', '1000000', '--timestamp', String(firstSecond)],
      ...['--gas-limit', '1000000000', '--base-fee', '0', '--no-request-size-limit', '--quiet'],
    ],
    cwd: folder,
    env: { HOME: folder },
    log,
  })
  const rpc = createRpc({ url: rpcUrl, signal, timeoutMs: answerMs })
  try {
    await untilReady({
      ...{ name: 'the chain', child, log, signal, deadlineMs: readyWithinMs },
      isReady: async () => Number(await rpc.call('eth_chainId', [])) === localChainId,
    })
    const networkFile = path.join(folder, 'network.json')
    const blocks = Math.ceil(actions / actionsPerBlock)
    const finalityBlocks = emptyBlocks + Math.ceil(blocks * (1 - finalShare))
    const { network, hotKeys } = await found({ rpcUrl, networkFile, finalityBlocks, signal })
    await rpc.call('anvil_setCode', [batchAddress, batchCode])
    const sending = await openSending({ rpc, network, hotKeys, layout })
    const mine = async (blocks = 1) => void (await rpc.call('anvil_mine', [toQuantity(blocks)]))
    for (let done = 0; done < actions; done += actionsPerBlock) {
      await sending.send(Math.min(actionsPerBlock, actions - done))
      await mine()
    }
    const lastBlock = Number(await rpc.call('eth_blockNumber', []))
    await mine(emptyBlocks)
    return {
      ...{ rpcUrl, network, networkFile, lastBlock, head: lastBlock + emptyBlocks, actions },
      sendMore: () => sending.send(actionsPerBlock),
      mine: () => mine(),
      async close() {
        await rpc.close()
        await child.stop()
      },
    }
  } catch (error) {
    await rpc.close()
    await child.stop()
    throw error
  }
}

/** Contracts, and three operators whose receipts count. */
async function found(options: {
  rpcUrl: string
  networkFile: string
  finalityBlocks: number
  signal: AbortSignal
}): Promise<{ network: NetworkFile; hotKeys: HotKey[] }> {
  const { rpcUrl, networkFile, finalityBlocks, signal } = options
  const provider = quickProvider(rpcUrl)
  const miner = createMiner({ rpcUrl, everyMs: 20 })
  try {
    const treasury = await provider.getSigner(0)
    const network = await establishContracts({ networkFile, finalityBlocks, provider, treasury, signal })
    const plans = [1, 2, 3].map((number) => ({
      ...{ name: `operator-${number}`, coldKey: walletOf(number), hotKey: walletOf(number + 10).address },
      endpoint: `http://operator-${number}.example`,
      ...{ peerId: '0x1220', capacityBytes: 10n ** 12n },
    }))
    await establishOperators({ network, plans, treasury, provider, signal })
    const hotKeys = plans.map(({ coldKey }, index) => ({
      operator: coldKey.address.toLowerCase() as Address,
      wallet: walletOf(index + 11),
    }))
    // Placement takes operators from epochs of final blocks.
    await provider.send('anvil_mine', [toQuantity(finalityBlocks + 2 * localRules.epochBlocks)])
    return { network, hotKeys }
  } finally {
    await miner.close()
    provider.destroy()
  }
}

type HotKey = { readonly operator: Address; readonly wallet: Wallet }

function walletOf(number: number): Wallet {
  return new Wallet(`0x${number.toString(16).padStart(64, '0')}`)
}

/** Goes on with the script where it was: its actions wait for the next block. */
async function openSending(options: {
  rpc: Rpc
  network: NetworkFile
  hotKeys: readonly HotKey[]
  layout: Layout
}): Promise<{ send(actions: number): Promise<Hash> }> {
  const { rpc, network, hotKeys, layout } = options
  const domain = domainOf(network)
  const [relayer = '', ...authors] = ((await rpc.call('eth_accounts', [])) as string[]).map((address) =>
    address.toLowerCase(),
  )
  let relayed = Number(await rpc.call('eth_getTransactionCount', [relayer, 'latest']))
  const drafts = writeScript({
    ...{ authors: authors as Address[], firstMs: firstSecond * 1000 },
    receiptsOf: (subject) => receiptsOf(subject, domain, hotKeys),
  })
  return {
    async send(actions) {
      const block: Draft[] = []
      while (block.length < actions) block.push((await drafts.next()).value)
      const calls = await signedCalls(rpc, domain, block)
      const transactions =
        layout === 'single'
          ? calls.map((data) => ({ to: network.contracts.catalog, data }))
          : [{ to: batchAddress, data: batchOf(network.contracts.catalog, calls) }]
      await rpc.batch(
        transactions.map((transaction) => ({
          method: 'eth_sendTransaction',
          params: [
            {
              ...{ from: relayer, ...transaction, gasPrice: '0x1', nonce: toQuantity(relayed++) },
              gas: layout === 'single' ? '0x7a120' : '0x2faf080',
            },
          ],
        })),
      )
      const last = block.at(-1)
      if (last === undefined) throw new RangeError('there is nothing to send')
      return last.digest
    },
  }
}

/** The node signs for the authors, many times faster than Node could. */
async function signedCalls(rpc: Rpc, domain: Domain, block: readonly Draft[]): Promise<string[]> {
  const deadline = 4_000_000_000
  const drafts = block.map((draft) => ({
    ...draft,
    kind: kinds[draft.kind].number,
    content: encodeCanonicalJson(draft.content),
  }))
  const types = { EIP712Domain: domainTypes, Action: messageTypes.Action }
  const signatures = await rpc.batch(
    drafts.map(({ author, nonce, kind, subject, content }) => {
      const message = {
        ...{ author, nonce: toQuantity(nonce), kind, subject: subjectToBytes32(subject), deadline },
        content: `0x${Buffer.from(content).toString('hex')}`,
      }
      return {
        method: 'eth_signTypedData_v4',
        params: [author, { domain, types, primaryType: 'Action', message }],
      }
    }),
  )
  return drafts.map((draft, index) =>
    actData({
      ...{ ...draft, nonce: draft.nonce.toString(), content: new TextDecoder().decode(draft.content) },
      ...{ deadline, signature: String(signatures[index]) },
    }),
  )
}

const domainTypes = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
]

function batchOf(contract: string, calls: readonly string[]): string {
  const word = (hex: string) => hex.padStart(64, '0')
  const parts = calls.map((data) => word(((data.length - 2) / 2).toString(16)) + data.slice(2))
  return `0x${word(contract.slice(2))}${parts.join('')}`
}

async function receiptsOf(subject: Subject, domain: Domain, hotKeys: readonly HotKey[]) {
  const storageRoot = subjectToBytes32(subject)
  const manifest = cidFromDigest(Buffer.from(storageRoot.slice(2), 'hex'), 'dag-json')
  const audio = { manifest, storageRoot: storageRoot as Hash, leafCount: 40, byteLength: 10_000 }
  const receipts = await Promise.all(
    hotKeys.slice(0, 2).map(async ({ operator, wallet }) => {
      const place = { blockNumber: 1, validUntil: 4_000_000_000 }
      const { signature } = await signReceipt(wallet, domain, { operator, subject, ...audio, ...place })
      return { operator, ...place, signature }
    }),
  )
  return {
    ...{ ...audio, durationMs: 180_000, receipts },
    ...{ artist: 'Guido', genre: 'Chant', licence: 'CC0-1.0', rightsHeld: true },
  }
}
