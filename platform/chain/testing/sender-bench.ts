import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { computeAddress, Interface } from 'ethers'
import { createLogger } from '../../process/index.ts'
import { openSqlite, type Sqlite } from '../../sqlite/index.ts'
import { eventually } from '../../testing/eventually.ts'
import {
  createSender,
  outboxMigrations,
  type Sender,
  type SenderOptions,
  type TransactionState,
  type TransactionStatus,
} from '../index.ts'
import { type Anvil, chainId, ledger, ledgerErrors, relayerKey, startAnvil, wordOf } from './anvil.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

export const finalityBlocks = 3
export const relayer = computeAddress(relayerKey)

/** A sender as a process has it, with the database it keeps. */
export type SenderProcess = { sender: Sender; database: Sqlite }

/** A node, a provider before it, and an outbox on disk which one sender after the other opens. */
export type SenderBench = {
  readonly anvil: Anvil
  readonly proxy: FaultProxy
  open(options?: Partial<SenderOptions>): SenderProcess
  stop(process: SenderProcess): Promise<void>
  /** Queues the call that writes `key` into the ledger. */
  write(sender: Sender, key: number, id?: string): TransactionStatus
  /** Waits until the transaction has this state. */
  reaches(sender: Sender, id: string, state: TransactionState): Promise<void>
  /** How many transactions of the relayer are on the chain. */
  nonces(): Promise<number>
  /** Words that the ledger has logged, in the order of the chain. */
  written(): Promise<number[]>
  /** The relayer's transactions in the node's pool, by nonce. */
  pool(): Promise<Record<string, { hash: string; maxFeePerGas: string; maxPriorityFeePerGas: string }>>
  close(): Promise<void>
}

export async function createSenderBench(): Promise<SenderBench> {
  const anvil = await startAnvil()
  const proxy = await startFaultProxy(anvil.url)
  const directory = mkdtempSync(join(tmpdir(), 'sender-'))
  const logger = createLogger({ service: 'test', level: 'silent' })
  let opened: SenderProcess[] = []

  async function stop(process: SenderProcess): Promise<void> {
    opened = opened.filter((other) => other !== process)
    await process.sender.close()
    process.database.close()
  }

  return {
    anvil,
    proxy,
    stop,
    open(options = {}) {
      const database = openSqlite(join(directory, 'outbox.sqlite'), { migrations: outboxMigrations })
      const sender = createSender({
        database,
        rpcUrls: [proxy.url],
        privateKey: relayerKey,
        chainId,
        finalityBlocks,
        logger,
        signal: new AbortController().signal,
        interfaces: [new Interface(ledgerErrors)],
        pollMs: 5,
        ...options,
      })
      const process = { sender, database }
      opened.push(process)
      return process
    },
    write: (sender, key, id = `write-${key}`) => sender.enqueue({ id, to: ledger, data: wordOf(key) }),
    reaches: (sender, id, state) => eventually(() => expect(sender.status(id)).toMatchObject({ state })),
    async nonces() {
      return Number(await anvil.rpc.call('eth_getTransactionCount', [relayer, 'latest']))
    },
    async written() {
      const logs = await anvil.rpc.call('eth_getLogs', [{ address: ledger, fromBlock: '0x0' }])
      if (!Array.isArray(logs)) throw new Error('no logs')
      return logs.map(({ data }: { data: string }) => Number(data))
    },
    async pool() {
      const content = await anvil.rpc.call('txpool_content', [])
      const { pending } = content as { pending: Record<string, never> }
      return pending[relayer] ?? pending[relayer.toLowerCase()] ?? {}
    },
    async close() {
      await Promise.all(opened.map(stop))
      await proxy.close()
      await anvil.close()
      rmSync(directory, { recursive: true })
    },
  }
}
