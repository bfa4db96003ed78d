import { createHash } from 'node:crypto'
import type { ChainReader } from '../chain-reader.ts'
import type { Block, ChainLog } from '../chain-values.ts'
import { type Rpc, RpcError } from '../rpc.ts'

/** A chain in memory that grows, forks and shrinks at once when told to, and the reader of a node on it. */
export type SimulatedChain = {
  reader: ChainReader
  /** Appends a block with so many logs. */
  grow(logs: number): void
  /** Replaces the newest blocks by others, one per number of logs given. */
  fork(depth: number, logsPerBlock: readonly number[]): void
  head(): number
  /** Every log from `fromBlock` on, as the index of a follower should hold them. */
  logs(fromBlock: number): ChainLog[]
  blocks(): Block[]
  /** Called before each request is answered; may change the chain or throw. */
  beforeAnswer: (method: string) => void
  /** How often each method was asked. */
  asked: Record<string, number>
}

type SimulatedBlock = Block & { logs: ChainLog[] }

const address = `0x${'ab'.repeat(20)}`

/** @param first tells chains apart: two with the same number have the same first block */
export function createSimulatedChain(first = 0): SimulatedChain {
  const blocks: SimulatedBlock[] = [{ ...head(0, '0x00', first), logs: [] }]
  let salt = 0

  function append(logs: number): void {
    salt += 1
    const parent = blocks.at(-1)
    if (parent === undefined) throw new Error('a chain has a first block')
    const block = head(parent.number + 1, parent.hash, salt)
    blocks.push({ ...block, logs: Array.from({ length: logs }, (_, index) => logOf(block, index)) })
  }

  function answer<Result>(method: string, result: () => Result): Promise<Result> {
    chain.asked[method] = (chain.asked[method] ?? 0) + 1
    try {
      chain.beforeAnswer(method)
      return Promise.resolve(result())
    } catch (error) {
      return Promise.reject(error)
    }
  }

  function withoutLogs(block: SimulatedBlock | undefined): Block | null {
    if (block === undefined) return null
    const { logs: _, ...rest } = block
    return rest
  }

  const reader: ChainReader = {
    rpc: unusedRpc,
    chainId: () => answer('chainId', () => 31_337),
    head: () =>
      answer('head', () => {
        const last = withoutLogs(blocks.at(-1))
        if (last === null) throw new Error('a chain has a first block')
        return last
      }),
    block: (numberOrHash) =>
      answer('block', () =>
        withoutLogs(blocks.find(({ number, hash }) => number === numberOrHash || hash === numberOrHash)),
      ),
    blocks: (numbers) => answer('blocks', () => numbers.map((number) => withoutLogs(blocks[number]))),
    logs: ({ fromBlock, toBlock }) =>
      answer('logs', () => blocks.slice(fromBlock, toBlock + 1).flatMap(({ logs }) => logs)),
    logsOfBlocks: ({ blockHashes }) =>
      answer('logsOfBlocks', () =>
        blockHashes.map((wanted) => {
          const block = blocks.find(({ hash }) => hash === wanted)
          if (block === undefined)
            throw new RpcError('eth_getLogs', { code: -32000, message: `unknown block ${wanted}` })
          return block.logs
        }),
      ),
    call: () => Promise.reject(new Error('a simulated chain runs no code')),
    fateOf: ({ number, hash }) =>
      answer('fateOf', () => {
        const block = blocks[number]
        if (block === undefined) return 'unknown'
        return block.hash === hash ? 'kept' : 'replaced'
      }),
    close: async () => {},
  }

  const chain: SimulatedChain = {
    reader,
    grow: append,
    fork(depth, logsPerBlock) {
      blocks.splice(Math.max(1, blocks.length - depth))
      for (const logs of logsPerBlock) append(logs)
    },
    head: () => blocks.length - 1,
    logs: (fromBlock) => blocks.slice(fromBlock).flatMap(({ logs }) => logs),
    blocks: () => blocks.map(({ logs: _, ...block }) => block),
    beforeAnswer: () => {},
    asked: {},
  }
  return chain
}

function head(number: number, parentHash: string, salt: number): Block {
  const hash = `0x${createHash('sha256').update(`${parentHash} ${number} ${salt}`).digest('hex')}`
  return { number, hash, parentHash, timestamp: 1_700_000_000 + number * 2 }
}

function logOf(block: Block, logIndex: number): ChainLog {
  return {
    address,
    topics: [],
    data: `0x${logIndex.toString(16).padStart(2, '0')}`,
    blockNumber: block.number,
    blockHash: block.hash,
    blockTimestamp: block.timestamp,
    transactionHash: block.hash,
    transactionIndex: 0,
    logIndex,
  }
}

const unusedRpc: Rpc = {
  call: () => Promise.reject(new Error('a simulated chain speaks no JSON-RPC')),
  batch: () => Promise.reject(new Error('a simulated chain speaks no JSON-RPC')),
  close: async () => {},
}
