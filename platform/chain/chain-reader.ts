import type { Logger, Metrics } from '../process/index.ts'
import { isNarrowed } from './bloom-doubt.ts'
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
import type { Rpc } from './rpc.ts'
import { type BlockFate, createRpcEndpoints } from './rpc-endpoints.ts'

/** Which logs are wanted: all of some contracts, and of others only those with some topics. */
export type LogFilter = {
  readonly addresses: readonly string[]
  /** Topics by their place, as of `eth_getLogs`; null where any will do. @default none */
  readonly narrowed?: readonly { readonly address: string; readonly topics: readonly (string | null)[] }[]
}

/** What a node, or the best of several, says about its chain. Every call can throw RpcError, RpcUnavailable or MalformedAnswer. */
export type ChainReader = {
  chainId(): Promise<number>
  /** The newest block. */
  head(): Promise<Block>
  /** Null when the node has no such block. */
  block(numberOrHash: number | string): Promise<Block | null>
  /** Heads by number, in the order asked for, in few requests; null where the node has none. */
  blocks(numbers: readonly number[]): Promise<(Block | null)[]>
  /** Logs of these contracts in a range (both ends included), in the order of the chain; MalformedAnswer, never a list
   * that ends early, from a node that does not have the last block. */
  logs(filter: LogFilter & { fromBlock: number; toBlock: number }): Promise<ChainLog[]>
  /** Logs of each of these very blocks: an error, never an empty list, when the node does not have one of them. */
  logsOfBlocks(filter: LogFilter & { blockHashes: readonly string[] }): Promise<ChainLog[][]>
  /** The return data of a call of a view function at the newest block. */
  call(transaction: { to: string; data: string }): Promise<string>
  /** What the nodes together say of a block that was read; those that do not have it are left alone for a while. */
  fateOf(block: { number: number; hash: string }): Promise<BlockFate>
  /** For what the methods above do not cover. */
  readonly rpc: Rpc
  close(): Promise<void>
}

const defaultTimeoutMs = 15_000

/** @param options.signal ends requests that are under way */
export function createChainReader(options: {
  /** One node, or several of the same chain, the preferred first; see `createRpcEndpoints`. */
  rpcUrls: readonly string[]
  signal?: AbortSignal
  /** Per request and node. @default 15 s */
  timeoutMs?: number
  /** Told of nodes that are not asked for a while. @default nobody */
  logger?: Logger
  /** For the process's one reader. @default none */
  metrics?: Metrics
}): ChainReader {
  const { rpcUrls: urls, timeoutMs = defaultTimeoutMs, signal, logger, metrics } = options
  const rpc = createRpcEndpoints({ urls, timeoutMs, signal, logger, metrics })

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
    async logs({ fromBlock, toBlock, ...filter }) {
      const range = { fromBlock: toHexNumber(fromBlock), toBlock: toHexNumber(toBlock) }
      // In one request, so that it is the node of the logs that has the block.
      const [last, ...answers] = await rpc.batch([
        { method: 'eth_getBlockByNumber', params: [toHexNumber(toBlock), false] },
        ...wanted(filter, range),
      ])
      if (blockOf(last) === null) {
        throw new MalformedAnswer(`the node gives logs up to block ${toBlock}, which it does not have`)
      }
      return checked(
        answers.flatMap(logsOf),
        filter,
        ({ blockNumber }) => blockNumber >= fromBlock && blockNumber <= toBlock,
      )
    },
    async logsOfBlocks({ blockHashes, ...filter }) {
      const answers = await rpc.batch(blockHashes.flatMap((blockHash) => wanted(filter, { blockHash })))
      const each = answers.length / Math.max(1, blockHashes.length)
      return blockHashes.map((hash, index) =>
        checked(
          answers.slice(index * each, (index + 1) * each).flatMap(logsOf),
          filter,
          ({ blockHash }) => blockHash === hash,
        ),
      )
    },
    async call(transaction) {
      return hexField(await rpc.call('eth_call', [transaction, 'latest']), 'call result')
    },
    fateOf: rpc.fateOf,
    close: () => rpc.close(),
  }
}

/** `eth_getLogs` takes one set of topics for all contracts that it is asked for, so there is a request for each. */
function wanted({ addresses, narrowed = [] }: LogFilter, place: Record<string, string>) {
  const all = addresses.length === 0 ? [] : [{ address: addresses, ...place }]
  return [...all, ...narrowed.map((filter) => ({ ...filter, ...place }))].map((filter) => ({
    method: 'eth_getLogs',
    params: [filter],
  }))
}

/** Nodes send the logs that were asked for, once and in order; an index that depends on it does not take their word. */
function checked(
  logs: readonly ChainLog[],
  { addresses, narrowed = [] }: LogFilter,
  isWithin: (log: ChainLog) => boolean,
): ChainLog[] {
  const asked = new Set(addresses.map((address) => address.toLowerCase()))
  const hasTopics = (log: ChainLog) => narrowed.some((wanted) => isNarrowed(log, wanted))
  const stray = logs.find((log) => !(asked.has(log.address) || hasTopics(log)) || !isWithin(log))
  if (stray !== undefined) {
    throw new MalformedAnswer(`the node gives a log of block ${stray.blockNumber} that nobody asked for`)
  }
  return logs.toSorted(chainOrder).filter((log, index, sorted) => {
    const before = sorted[index - 1]
    if (before === undefined || chainOrder(before, log) !== 0) return true
    if (before.blockHash === log.blockHash && before.data === log.data) return false
    throw new MalformedAnswer(`the node gives two logs ${log.logIndex} of block ${log.blockNumber}`)
  })
}

function chainOrder(left: ChainLog, right: ChainLog): number {
  return left.blockNumber - right.blockNumber || left.logIndex - right.logIndex
}
