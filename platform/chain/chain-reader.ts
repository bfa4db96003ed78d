import {
  type Block,
  blockOf,
  type ChainLog,
  hexField,
  logsOf,
  MalformedAnswer,
  numberField,
  toHexNumber,
} from './chain-values.ts'
import { createRpc, type Rpc } from './rpc.ts'

/** What a node says about its chain. Every call can throw RpcError, RpcUnavailable or MalformedAnswer. */
export type ChainReader = {
  chainId(): Promise<number>
  /** The newest block. */
  head(): Promise<Block>
  /** Null when the node has no such block. */
  block(numberOrHash: number | string): Promise<Block | null>
  /** Heads by number, in the order asked for, in few requests; null where the node has none. */
  blocks(numbers: readonly number[]): Promise<(Block | null)[]>
  /** Logs of these contracts in a range (both ends included), in the order of the chain. */
  logs(filter: { addresses: readonly string[]; fromBlock: number; toBlock: number }): Promise<ChainLog[]>
  /** Logs of each of these very blocks: an error, never an empty list, when the node does not have one of them. */
  logsOfBlocks(filter: {
    addresses: readonly string[]
    blockHashes: readonly string[]
  }): Promise<ChainLog[][]>
  /** The return data of a call of a view function at the newest block. */
  call(transaction: { to: string; data: string }): Promise<string>
  /** For what the methods above do not cover. */
  readonly rpc: Rpc
  close(): Promise<void>
}

const defaultTimeoutMs = 15_000

/** @param options.signal ends requests that are under way */
export function createChainReader(options: {
  rpcUrl: string
  signal?: AbortSignal
  /** Per request. @default 15 s */
  timeoutMs?: number
}): ChainReader {
  const rpc = createRpc({
    url: options.rpcUrl,
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
    signal: options.signal,
  })

  return {
    rpc,
    async chainId() {
      return numberField(await rpc.call('eth_chainId', []), 'chain id')
    },
    async head() {
      const block = blockOf(await rpc.call('eth_getBlockByNumber', ['latest', false]))
      if (block === null) throw new MalformedAnswer('the node has no newest block')
      return block
    },
    async block(numberOrHash) {
      const [method, tag] =
        typeof numberOrHash === 'number'
          ? ['eth_getBlockByNumber', toHexNumber(numberOrHash)]
          : ['eth_getBlockByHash', numberOrHash]
      return blockOf(await rpc.call(method, [tag, false]))
    },
    async blocks(numbers) {
      const requests = numbers.map((number) => ({
        method: 'eth_getBlockByNumber',
        params: [toHexNumber(number), false],
      }))
      return (await rpc.batch(requests)).map(blockOf)
    },
    async logs({ addresses, fromBlock, toBlock }) {
      const filter = { address: addresses, fromBlock: toHexNumber(fromBlock), toBlock: toHexNumber(toBlock) }
      return logsOf(await rpc.call('eth_getLogs', [filter])).sort(chainOrder)
    },
    async logsOfBlocks({ addresses, blockHashes }) {
      const requests = blockHashes.map((blockHash) => ({
        method: 'eth_getLogs',
        params: [{ address: addresses, blockHash }],
      }))
      return (await rpc.batch(requests)).map((answer) => logsOf(answer).sort(chainOrder))
    },
    async call(transaction) {
      return hexField(await rpc.call('eth_call', [transaction, 'latest']), 'call result')
    },
    close: () => rpc.close(),
  }
}

/** Nodes send logs in order; an index that depends on it does not take their word for it. */
function chainOrder(left: ChainLog, right: ChainLog): number {
  return left.blockNumber - right.blockNumber || left.logIndex - right.logIndex
}
