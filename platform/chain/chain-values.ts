/** The head of a block. */
export type Block = {
  number: number
  /** `0x` and 64 lower hex digits, like every hash here. */
  hash: string
  parentHash: string
  /** Unix time in whole seconds, as contracts see it. */
  timestamp: number
  /** `0x` and 512 digits as the node gives them. Some give none, or one that says nothing: whoever reads it bears that. */
  logsBloom?: string
}

/** What is known of a block from its logs alone. */
export type BlockPlace = Pick<Block, 'number' | 'hash' | 'timestamp'>

/** One event of a contract. */
export type ChainLog = {
  /** Lower-case. */
  address: string
  /** `0x` and hex digits. */
  topics: string[]
  /** `0x` and hex digits. */
  data: string
  blockNumber: number
  blockHash: string
  /** Unix time in whole seconds; null from nodes that do not put it into logs. */
  blockTimestamp: number | null
  transactionHash: string
  transactionIndex: number
  /** Within its block. Some chains count up to 2^32. */
  logIndex: number
}

/** The node sent something that is not what the method returns. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer'
}

export function toHexNumber(value: number | bigint): string {
  return `0x${value.toString(16)}`
}

/** A field of a JSON-RPC answer that must be a hex quantity. */
export function numberField(value: unknown, field: string): number {
  const number = typeof value === 'string' && value.startsWith('0x') ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(number)) throw new MalformedAnswer(`${field} is no hex number: ${String(value)}`)
  return number
}

/** A hex quantity of any size. */
export function bigintField(value: unknown, field: string): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]+$/.test(value)) {
    throw new MalformedAnswer(`${field} is no hex number: ${String(value)}`)
  }
  return BigInt(value)
}

/** A field that must be hex data; answered in lower case. */
export function hexField(value: unknown, field: string): string {
  if (typeof value !== 'string' || !value.startsWith('0x')) {
    throw new MalformedAnswer(`${field} is no hex data: ${String(value)}`)
  }
  return value.toLowerCase()
}

/** A field that must be hex data of whole bytes, which is stored as it is; answered in lower case. */
export function bytesField(value: unknown, field: string): string {
  // Nodes write lower case, and to bring a text there takes a copy of it.
  if (isBytes(value)) return value
  const data = hexField(value, field)
  if (!isBytes(data)) throw new MalformedAnswer(`${field} is no hex data`)
  return data
}

export function objectField(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new MalformedAnswer(`${field} is no object`)
  return value as Record<string, unknown>
}

export function listField(value: unknown, field: string): unknown[] {
  if (!Array.isArray(value)) throw new MalformedAnswer(`${field} is no list`)
  return value
}

/** `0x` and 256 bytes. */
const bloomLength = 2 + 512

/** Null for a block the node does not have. */
export function blockOf(answer: unknown): Block | null {
  if (answer === null || answer === undefined) return null
  const block = objectField(answer, 'block')
  const { logsBloom } = block
  return {
    number: numberField(block.number, 'block.number'),
    hash: hexField(block.hash, 'block.hash'),
    parentHash: hexField(block.parentHash, 'block.parentHash'),
    timestamp: numberField(block.timestamp, 'block.timestamp'),
    ...(typeof logsBloom === 'string' && logsBloom.length === bloomLength ? { logsBloom } : {}),
  }
}

export function logsOf(answer: unknown): ChainLog[] {
  let before: ChainLog | undefined
  return listField(answer, 'logs').map((log) => {
    before = logOf(log, before)
    return before
  })
}

/** @param before the log before it, whose texts it shares where they are the same: most stand in every log of a block */
function logOf(answer: unknown, before: ChainLog | undefined): ChainLog {
  const log = objectField(answer, 'log')
  const timestamp =
    typeof log.blockTimestamp === 'string' ? numberField(log.blockTimestamp, 'log.blockTimestamp') : 0
  return {
    address: shared(bytesField(log.address, 'log.address'), before?.address),
    topics: listField(log.topics, 'log.topics').map((topic, place) =>
      shared(bytesField(topic, 'log.topics'), before?.topics[place]),
    ),
    data: bytesField(log.data, 'log.data'),
    blockNumber: numberField(log.blockNumber, 'log.blockNumber'),
    blockHash: shared(hexField(log.blockHash, 'log.blockHash'), before?.blockHash),
    blockTimestamp: timestamp > 0 ? timestamp : null,
    transactionHash: bytesField(log.transactionHash, 'log.transactionHash'),
    transactionIndex: numberField(log.transactionIndex, 'log.transactionIndex'),
    logIndex: numberField(log.logIndex, 'log.logIndex'),
  }
}

/** One text in place of two that are the same. */
function shared(text: string, known: string | undefined): string {
  return text === known ? known : text
}

function isBytes(value: unknown): value is string {
  return typeof value === 'string' && value.length % 2 === 0 && /^0x[0-9a-f]*$/.test(value)
}
