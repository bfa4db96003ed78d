import {
  bytesField,
  hexField,
  listField,
  MalformedAnswer,
  numberField,
  objectField,
  toHexNumber,
} from './chain-values.ts'
import type { Rpc } from './rpc.ts'

/** The head of a block with what its logs can be proven by. Nodes serve it also of blocks whose logs and receipts they
 * have dropped. */
export type Header = {
  readonly number: number
  /** `0x` and lower hex digits, like all of these. */
  readonly hash: string
  readonly parentHash: string
  /** Unix time in whole seconds. */
  readonly timestamp: number
  readonly receiptsRoot: string
  readonly logsBloom: string
  /** Hashes of its transactions, in order. */
  readonly transactions: readonly string[]
}

/** Headers by number, in the order asked for, in few requests.
 * @throws MalformedAnswer also when the node does not have one of them; RpcError, RpcUnavailable */
export async function readHeaders(rpc: Rpc, numbers: readonly number[]): Promise<Header[]> {
  const answers = await rpc.batch(
    numbers.map((number) => ({ method: 'eth_getBlockByNumber', params: [toHexNumber(number), false] })),
  )
  return answers.map((answer, index) => headerOf(answer, numbers[index] ?? -1))
}

/** Headers that are asked for in one request, and requests that are under way while earlier ones are used. */
const headersAtOnce = 50
const requestsAhead = 4

/**
 * The headers of a range, both ends included, in order.
 * @throws MalformedAnswer, RpcError, RpcUnavailable
 */
export async function* eachHeader(
  rpc: Rpc,
  range: { readonly fromBlock: number; readonly toBlock: number },
): AsyncGenerator<Header, void, undefined> {
  const ahead: Promise<Header[]>[] = []
  let next = range.fromBlock
  for (;;) {
    while (ahead.length < requestsAhead && next <= range.toBlock) {
      const count = Math.min(headersAtOnce, range.toBlock - next + 1)
      const asked = readHeaders(
        rpc,
        Array.from({ length: count }, (_, index) => next + index),
      )
      // It is awaited in its turn; until then its failure must not count as unhandled.
      asked.catch(() => undefined)
      ahead.push(asked)
      next += count
    }
    const headers = await ahead.shift()
    if (headers === undefined) return
    yield* headers
  }
}

/** All receipts of these very blocks, as the node gives them: an error where it has dropped them.
 * @throws MalformedAnswer, RpcError, RpcUnavailable */
export async function readReceipts(rpc: Rpc, blockHashes: readonly string[]): Promise<unknown[][]> {
  const answers = await rpc.batch(
    blockHashes.map((hash) => ({ method: 'eth_getBlockReceipts', params: [hash] })),
  )
  return answers.map((answer) => listField(answer, 'receipts'))
}

function headerOf(answer: unknown, wanted: number): Header {
  const block = objectField(answer, `block ${wanted}`)
  const number = numberField(block.number, 'block.number')
  if (number !== wanted) throw new MalformedAnswer(`the node gave block ${number} for ${wanted}`)
  return {
    number,
    hash: hexField(block.hash, 'block.hash'),
    parentHash: hexField(block.parentHash, 'block.parentHash'),
    timestamp: numberField(block.timestamp, 'block.timestamp'),
    receiptsRoot: hexField(block.receiptsRoot, 'block.receiptsRoot'),
    logsBloom: hexField(block.logsBloom, 'block.logsBloom'),
    transactions: listField(block.transactions, 'block.transactions').map((hash) =>
      bytesField(hash, 'block.transactions'),
    ),
  }
}
