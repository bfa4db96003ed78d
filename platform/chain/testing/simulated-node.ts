import { listen } from '../../http/index.ts'
import type { Block, ChainLog } from '../chain-values.ts'
import type { SimulatedChain } from './simulated-chain.ts'

/** Serves a simulated chain as JSON-RPC, as much of it as a `ChainReader` asks for.
 * @param alter lies: what the node makes of an answer */
export async function startSimulatedNode(
  chain: SimulatedChain,
  alter: (method: string, params: readonly unknown[], result: unknown) => unknown = (_, __, result) => result,
): Promise<{ url: string; close(): Promise<void> }> {
  function resultOf({ method, params }: Request): unknown {
    if (method === 'eth_chainId') return hex(31_337)
    if (method === 'eth_getLogs') return logsFor(chain, params[0] as Record<string, string>).map(hexLog)
    const number = params[0] === 'latest' ? chain.head() : Number(params[0])
    const block = chain.blocks()[number]
    return block === undefined ? null : hexBlock(block)
  }

  const server = await listen(
    (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const asked: Request | Request[] = JSON.parse(Buffer.concat(chunks).toString())
        const answers = [asked].flat().map((one) => {
          return { jsonrpc: '2.0', id: one.id, result: alter(one.method, one.params, resultOf(one)) }
        })
        response.setHeader('Content-Type', 'application/json')
        response.end(JSON.stringify(Array.isArray(asked) ? answers : answers[0]))
      })
    },
    { host: '127.0.0.1', port: 0, graceMs: 0 },
  )
  return { url: server.origin, close: () => server.close() }
}

type Request = { id: unknown; method: string; params: readonly unknown[] }

function logsFor(chain: SimulatedChain, filter: Record<string, string>): ChainLog[] {
  const { blockHash, fromBlock, toBlock } = filter
  const isWithin = (log: ChainLog) =>
    blockHash === undefined
      ? log.blockNumber >= Number(fromBlock) && log.blockNumber <= Number(toBlock)
      : log.blockHash === blockHash
  return chain.logs(0).filter(isWithin)
}

function hexBlock(block: Block): unknown {
  return { ...block, number: hex(block.number), timestamp: hex(block.timestamp) }
}

function hexLog(log: ChainLog): unknown {
  const { blockNumber, blockTimestamp, transactionIndex, logIndex } = log
  return {
    ...log,
    blockNumber: hex(blockNumber),
    blockTimestamp: hex(blockTimestamp ?? 0),
    transactionIndex: hex(transactionIndex),
    logIndex: hex(logIndex),
  }
}

function hex(number: number): string {
  return `0x${number.toString(16)}`
}
