import {
  concat,
  decodeRlp,
  encodeRlp,
  getBytes,
  type RlpStructuredData,
  type RlpStructuredDataish,
  toBeArray,
  toQuantity,
} from 'ethers'
import * as z from 'zod'
import { checked } from '../checked/index.ts'
import { ArchiveError } from './archive-error.ts'

const hex = z.string().regex(/^0x([0-9a-fA-F]{2})*$/)
const quantity = z.string().regex(/^0x[0-9a-fA-F]{1,64}$/)

/** The part of `eth_getBlockReceipts` that a header's receipts root covers. */
const receiptSchema = z.object({
  /** Of EIP-2718: 0 to 0x7f. */
  type: z
    .string()
    .regex(/^0x0*[0-7]?[0-9a-fA-F]$/)
    .optional(),
  status: quantity.optional(),
  /** In place of a status before Byzantium. */
  root: hex.optional(),
  cumulativeGasUsed: quantity,
  logsBloom: hex,
  logs: z.array(z.object({ address: hex, topics: z.array(hex), data: hex })),
  /** Of deposits on OP-stack chains, which add them to what is hashed. */
  depositNonce: quantity.optional(),
  depositReceiptVersion: quantity.optional(),
})

const depositType = 0x7e

/** A log as a receipt holds it. Lower-case hex. */
export type ReceiptLog = {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
}

/**
 * A receipt in the form in which it is hashed: RLP of status, gas, bloom and logs, behind the type of its transaction
 * (EIP-2718; https://specs.optimism.io/protocol/deposits.html for deposits).
 * @param answer of a node
 * @throws ArchiveError when it is no receipt
 */
export function encodeReceipt(answer: unknown): Uint8Array {
  const result = checked(receiptSchema, answer)
  if (!result.success) throw new ArchiveError(`not a receipt: ${result.error.issues[0]?.message}`)
  const { type = '0x0', status, root, cumulativeGasUsed, logsBloom, logs, ...deposit } = result.data
  const kind = Number(type)
  const fields: RlpStructuredDataish[] = [
    status === undefined ? (root ?? '0x') : numberBytes(status),
    numberBytes(cumulativeGasUsed),
    logsBloom,
    logs.map(({ address, topics, data }) => [address, topics, data]),
  ]
  if (kind === depositType && deposit.depositNonce !== undefined) {
    fields.push(numberBytes(deposit.depositNonce))
    if (deposit.depositReceiptVersion !== undefined) fields.push(numberBytes(deposit.depositReceiptVersion))
  }
  const body = encodeRlp(fields)
  return getBytes(kind === 0 ? body : concat([toBeArray(kind), body]))
}

/** Logs of an encoded receipt. @throws ArchiveError when it is none */
export function logsOfReceipt(receipt: Uint8Array): ReceiptLog[] {
  const [first = 0] = receipt
  // An RLP list begins at 0xc0, a transaction type lies below.
  const fields = decodeList(first >= 0xc0 ? receipt : receipt.subarray(1), 'a receipt')
  const logs = fields[3]
  if (!Array.isArray(logs)) throw new ArchiveError('a receipt has no logs')
  return logs.map((log) => {
    const [address, topics, data, ...rest] = Array.isArray(log) ? log : []
    if (
      typeof address !== 'string' ||
      !Array.isArray(topics) ||
      typeof data !== 'string' ||
      rest.length > 0
    ) {
      throw new ArchiveError('a log of a receipt is none')
    }
    return { address, data, topics: topics.map((topic) => textOf(topic)) }
  })
}

/** @throws ArchiveError unless the bytes are the RLP of a list and nothing more */
export function decodeList(bytes: Uint8Array, what: string): RlpStructuredData[] {
  try {
    const value = decodeRlp(bytes)
    if (Array.isArray(value)) return value
  } catch (cause) {
    throw new ArchiveError(`${what} is no RLP`, { cause })
  }
  throw new ArchiveError(`${what} is no list`)
}

/** @throws ArchiveError for a list */
export function textOf(value: RlpStructuredData | undefined): string {
  if (typeof value !== 'string') throw new ArchiveError('a list stands where bytes should')
  return value
}

/** @throws ArchiveError unless it is a whole number as RLP has it */
export function numberOf(value: RlpStructuredData | undefined): number {
  const text = textOf(value)
  const number = text === '0x' ? 0 : Number(text)
  if (!Number.isSafeInteger(number) || (text !== '0x' && toQuantity(number) !== stripped(text))) {
    throw new ArchiveError('a number is malformed')
  }
  return number
}

/** As a quantity: without a leading zero digit. A leading zero byte stays, and is seen. */
function stripped(text: string): string {
  return text.startsWith('0x0') && !text.startsWith('0x00') ? `0x${text.slice(3)}` : text
}

export function numberBytes(value: string | number): Uint8Array {
  return toBeArray(BigInt(value))
}
