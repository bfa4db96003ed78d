import type { Block, ChainEvent, ChainLog } from '@hexachord/platform/chain'
import { copyRows, type Statements } from '@hexachord/platform/postgres'
import type { IndexedAction, RangeResult } from '@hexachord/protocol/catalogue'
import type { Hash } from '@hexachord/protocol/names'
import { storableText } from '../projections/storable-text.ts'

/** A stretch of the chain with the logs of the network's contracts in it. */
export type ChainRange = Extract<ChainEvent, { type: 'range' }>

/** A range as the index takes it. */
export type IndexRange = Omit<ChainRange, 'type' | 'head'>

/** A range up to one of its blocks with logs, and what comes after it. */
export function splitRange(range: IndexRange, block: number): [upTo: IndexRange, rest: IndexRange] {
  const { logs, blocks } = range
  const nextLog = logs.findIndex(({ blockNumber }) => blockNumber > block)
  const nextBlock = blocks.findIndex(({ number }) => number > block)
  return [
    { ...range, toBlock: block, logs: logs.slice(0, nextLog), blocks: blocks.slice(0, nextBlock) },
    { ...range, fromBlock: block + 1, logs: logs.slice(nextLog), blocks: blocks.slice(nextBlock) },
  ]
}

/** Keeps what the chain said, so that other rules can be applied to it later. */
export async function writeLogs(client: Statements, logs: readonly ChainLog[]): Promise<void> {
  if (logs.length === 0) return
  await copyRows(
    client,
    'log',
    logColumns,
    logs.map((log) => [
      log.blockNumber,
      log.logIndex,
      log.address,
      log.topics,
      log.data,
      log.transactionHash,
    ]),
  )
}

const logColumns = {
  block: 'bigint',
  log_index: 'bigint',
  address: 'bytea',
  topics: 'bytea',
  data: 'bytea',
  transaction_hash: 'bytea',
} as const

/** @param stateHash before the first of these blocks */
export async function writeBlocks(
  client: Statements,
  { blocks, logs }: Pick<ChainRange, 'blocks' | 'logs'>,
  indexed: RangeResult['blocks'],
  stateHash: Hash,
): Promise<void> {
  const counts = new Map<number, number>()
  for (const { blockNumber } of logs) counts.set(blockNumber, (counts.get(blockNumber) ?? 0) + 1)
  const hashes = new Map(indexed.map((block) => [block.number, block.stateHash]))
  let current = stateHash
  const rows = blocks.map((block) => {
    current = hashes.get(block.number) ?? current
    return [block.number, block.hash, block.timestamp, counts.get(block.number) ?? 0, current]
  })
  await copyRows(client, 'block', ['number', 'hash', 'unix_seconds', 'logs', 'state_hash'], rows)
}

export async function writeActions(client: Statements, actions: readonly IndexedAction[]): Promise<void> {
  if (actions.length === 0) return
  await copyRows(
    client,
    'action',
    actionColumns,
    actions.map(({ action, place, verdict }) => [
      place.block,
      place.logIndex,
      action.hash,
      action.signer,
      action.author,
      action.nonce,
      action.kind,
      action.subject,
      verdict.verdict,
      // A reason may quote what the author wrote.
      verdict.verdict === 'applied' ? null : storableText(verdict.reason),
    ]),
  )
}

const actionColumns = {
  block: 'bigint',
  log_index: 'bigint',
  hash: 'text',
  signer: 'text',
  author: 'text',
  nonce: 'numeric',
  kind: 'integer',
  subject: 'text',
  verdict: 'text',
  reason: 'text',
} as const

/** The blocks that were read: the newest final one and all above it, newest first. */
export async function readKnownBlocks(
  client: Pick<Statements, 'query'>,
  finalized: number,
): Promise<Pick<Block, 'number' | 'hash'>[]> {
  const { rows } = await client.query<{ number: number; hash: string }>(
    `SELECT number, hash FROM block
     WHERE number >= coalesce((SELECT max(number) FROM block WHERE number <= $1), 0)
     ORDER BY number DESC`,
    [finalized],
  )
  return rows
}

/** Logs as they were read, a batch of whole blocks at a time, with the blocks in which they stand.
 * @param after the last block of the batch before
 * @param batchLogs how many logs a batch holds, or a few more: it ends with its block */
export async function readStoredLogs(
  client: Statements,
  after: number,
  batchLogs: number,
): Promise<Pick<ChainRange, 'logs' | 'blocks'>> {
  const { rows } = await client.query<StoredLogRow>(
    `SELECT ${storedLogColumns} FROM log l JOIN block b ON b.number = l.block
     WHERE l.block > $1 AND l.block <= (
       SELECT max(block) FROM (SELECT block FROM log WHERE block > $1 ORDER BY block, log_index LIMIT $2) AS next
     )
     ORDER BY l.block, l.log_index`,
    [after, batchLogs],
  )
  const blocks = new Map<number, Block>()
  const logs = rows.map((row): ChainLog => {
    blocks.set(row.block, { number: row.block, hash: row.hash, parentHash: '', timestamp: row.unix_seconds })
    return logOf(row)
  })
  return { logs, blocks: [...blocks.values()] }
}

/** Of the table of logs as `l` and that of blocks as `b`. */
export const storedLogColumns = [
  ...['l.block', 'l.log_index', 'b.hash', 'b.unix_seconds'],
  ...['address', 'topics', 'data', 'transaction_hash'].map((name) => `encode(l.${name}, 'hex') AS ${name}`),
].join(', ')

/** A log as it was read, out of a row of the log and its block. */
export function logOf(row: StoredLogRow): ChainLog {
  return {
    address: `0x${row.address}`,
    topics: (row.topics.match(/.{64}/g) ?? []).map((digits) => `0x${digits}`),
    data: `0x${row.data}`,
    blockNumber: row.block,
    blockHash: row.hash,
    blockTimestamp: row.unix_seconds,
    transactionHash: `0x${row.transaction_hash}`,
    transactionIndex: 0,
    logIndex: row.log_index,
  }
}

/** Blocks that are stored between two others, the last one included. */
export async function readStoredBlocks(client: Statements, after: number, upTo: number): Promise<Block[]> {
  const { rows } = await client.query<{ number: number; hash: string; unix_seconds: number }>(
    'SELECT number, hash, unix_seconds FROM block WHERE number > $1 AND number <= $2 ORDER BY number',
    [after, upTo],
  )
  return rows.map(({ number, hash, unix_seconds: timestamp }) => ({
    number,
    hash,
    parentHash: '',
    timestamp,
  }))
}

/** {@link storedLogColumns}; those of the log are hex digits. */
export type StoredLogRow = {
  block: number
  log_index: number
  address: string
  topics: string
  data: string
  transaction_hash: string
  hash: string
  unix_seconds: number
}
