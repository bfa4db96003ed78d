import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { computeAddress, Interface, Transaction, Wallet } from 'ethers'
import { createLogger } from '../process/index.ts'
import { openSqlite, type Sqlite } from '../sqlite/index.ts'
import {
  createSender,
  OutboxConflict,
  outboxMigrations,
  type Sender,
  type SenderOptions,
  type TransactionState,
} from './index.ts'
import { type Anvil, chainId, ledger, ledgerErrors, relayerKey, startAnvil, wordOf } from './testing/anvil.ts'
import { type FaultProxy, startFaultProxy } from './testing/fault-proxy.ts'

const finalityBlocks = 3
const logger = createLogger({ service: 'test', level: 'silent' })
const relayer = computeAddress(relayerKey)

describe('a sender', () => {
  let anvil: Anvil
  let proxy: FaultProxy
  let directory = ''
  let opened: { sender: Sender; database: Sqlite }[] = []

  beforeEach(async () => {
    anvil = await startAnvil()
    proxy = await startFaultProxy(anvil.url)
    directory = mkdtempSync(join(tmpdir(), 'sender-'))
  })

  afterEach(async () => {
    await Promise.all(opened.map(stop))
    opened = []
    await proxy.close()
    await anvil.close()
    rmSync(directory, { recursive: true })
  })

  /** Opens the outbox of this test, as a process does when it starts. */
  function open(options: Partial<SenderOptions> = {}) {
    const database = openSqlite(join(directory, 'outbox.sqlite'), { migrations: outboxMigrations })
    const sender = createSender({
      database,
      rpcUrl: proxy.url,
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
  }

  async function stop(process: { sender: Sender; database: Sqlite }): Promise<void> {
    opened = opened.filter((other) => other !== process)
    await process.sender.close()
    process.database.close()
  }

  function write(sender: Sender, key: number, id = `write-${key}`) {
    return sender.enqueue({ id, to: ledger, data: wordOf(key) })
  }

  async function reaches(sender: Sender, id: string, state: TransactionState): Promise<void> {
    await eventually(() => expect(sender.status(id)).toMatchObject({ state }))
  }

  async function nonces(): Promise<number> {
    return Number(await anvil.rpc.call('eth_getTransactionCount', [relayer, 'latest']))
  }

  /** Words that the ledger has logged, in the order of the chain. */
  async function written(): Promise<number[]> {
    const logs = await anvil.rpc.call('eth_getLogs', [{ address: ledger, fromBlock: '0x0' }])
    if (!Array.isArray(logs)) throw new Error('no logs')
    return logs.map(({ data }: { data: string }) => Number(data))
  }

  async function pool(): Promise<
    Record<string, { hash: string; maxFeePerGas: string; maxPriorityFeePerGas: string }>
  > {
    const content = await anvil.rpc.call('txpool_content', [])
    const { pending } = content as { pending: Record<string, never> }
    return pending[relayer] ?? pending[relayer.toLowerCase()] ?? {}
  }

  test('brings a transaction from queued over sent and mined to final', async () => {
    const { sender } = open()
    const seen: string[] = []
    const unsubscribe = sender.onChange(({ id, state }) => seen.push(`${id} ${state}`))
    expect(write(sender, 1)).toEqual({
      id: 'write-1',
      state: 'queued',
      hash: null,
      blockNumber: null,
      reason: null,
    })
    await reaches(sender, 'write-1', 'sent')
    await anvil.mine()
    await reaches(sender, 'write-1', 'mined')
    const block = await anvil.head()
    expect(sender.status('write-1')).toMatchObject({
      hash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      blockNumber: block,
    })
    await anvil.mine(finalityBlocks)
    await reaches(sender, 'write-1', 'final')
    expect(seen).toEqual(['write-1 sent', 'write-1 mined', 'write-1 final'])
    expect(await written()).toEqual([1])
    unsubscribe()
    expect(sender.counts()).toEqual({ queued: 0, sent: 0 })
    expect(sender.address).toBe(relayer)
  })

  test('takes an id once, and refuses it for something else', async () => {
    const { sender } = open()
    write(sender, 1)
    write(sender, 1)
    expect(() => write(sender, 2, 'write-1')).toThrow(OutboxConflict)
    await reaches(sender, 'write-1', 'sent')
    await anvil.mine()
    await reaches(sender, 'write-1', 'mined')
    expect(write(sender, 1)).toMatchObject({ state: 'mined' })
    expect(await written()).toEqual([1])
  })

  test('refuses what is no call at all', () => {
    const { sender } = open()
    expect(() => sender.enqueue({ id: 'x', to: 'nowhere', data: '0x' })).toThrow()
    expect(() => sender.enqueue({ id: 'x', to: ledger, data: 'hello' })).toThrow('0x and hex')
    expect(sender.status('x')).toBeNull()
  })

  test('sends many in the order in which they came, some at a time', async () => {
    const { sender } = open({ maxInFlight: 4 })
    const keys = Array.from({ length: 11 }, (_, index) => index + 1)
    for (const key of keys) write(sender, key)
    while ((await written()).length < keys.length) {
      await eventually(() => expect(sender.counts().sent).toBeGreaterThan(0))
      expect(sender.counts().sent).toBeLessThanOrEqual(4)
      await anvil.mine()
    }
    expect(await written()).toEqual(keys)
  })

  describe('with a call that the contract refuses', () => {
    test('fails it with the reason, and spends nothing', async () => {
      const { sender } = open()
      await anvil.write(7)
      await anvil.mine()
      write(sender, 7)
      await reaches(sender, 'write-7', 'failed')
      expect(sender.status('write-7')).toMatchObject({ reason: `Used(${wordOf(7)})`, hash: null })
      expect(await nonces()).toBe(0)
    })

    test('goes on with the next one', async () => {
      const { sender } = open()
      await anvil.write(7)
      await anvil.mine()
      write(sender, 7)
      write(sender, 8)
      await reaches(sender, 'write-8', 'sent')
      await anvil.mine()
      await reaches(sender, 'write-8', 'mined')
    })

    test('sees that another one of its own in the pool makes it so', async () => {
      const { sender } = open()
      write(sender, 7, 'first')
      await reaches(sender, 'first', 'sent')
      write(sender, 7, 'second')
      await reaches(sender, 'second', 'failed')
    })

    test('tells the reason, too, when it is refused only as it is mined', async () => {
      const { sender } = open()
      write(sender, 7)
      await reaches(sender, 'write-7', 'sent')
      await anvil.rpc.call('eth_sendTransaction', [
        {
          from: '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
          to: ledger,
          data: wordOf(7),
          gas: '0x20000',
          maxPriorityFeePerGas: '0x2540be400',
          maxFeePerGas: '0x4a817c800',
        },
      ])
      await anvil.mine()
      await reaches(sender, 'write-7', 'failed')
      const head = await anvil.head()
      expect(sender.status('write-7')).toMatchObject({ reason: `Used(${wordOf(7)})`, blockNumber: head })
      expect(sender.retry('write-7')).toBe(false)
      await anvil.mine(finalityBlocks)
      await eventually(() => expect(sender.retry('write-7')).toBe(true))
    })

    test('tries it anew when it is told to', async () => {
      const { sender } = open()
      await anvil.write(7)
      await anvil.mine()
      write(sender, 7)
      await reaches(sender, 'write-7', 'failed')
      expect(sender.retry('nothing')).toBe(false)
      await anvil.rollBack(1)
      expect(sender.retry('write-7')).toBe(true)
      await reaches(sender, 'write-7', 'sent')
    })
  })

  describe('when the chain is reorganised', () => {
    test('sends again what was mined and is not any more, until it is final', async () => {
      const { sender } = open()
      write(sender, 1)
      await reaches(sender, 'write-1', 'sent')
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
      await anvil.reorg(1)
      expect(await written()).toEqual([])
      await eventually(async () => expect(Object.keys(await pool())).toHaveLength(1))
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
      await anvil.mine(finalityBlocks)
      await reaches(sender, 'write-1', 'final')
      expect(await written()).toEqual([1])
    })

    test('notices that it was away', async () => {
      const before = open()
      write(before.sender, 1)
      write(before.sender, 2)
      await reaches(before.sender, 'write-2', 'sent')
      await anvil.mine()
      await reaches(before.sender, 'write-2', 'mined')
      await stop(before)
      await anvil.reorg(1)
      const { sender } = open()
      await eventually(async () => expect(Object.keys(await pool())).toHaveLength(2))
      await anvil.mine(1)
      await anvil.mine(finalityBlocks)
      await reaches(sender, 'write-1', 'final')
      await reaches(sender, 'write-2', 'final')
      expect(await written()).toEqual([1, 2])
    })
  })

  describe('when it is started again', () => {
    test('goes on with what was queued, sent or mined, and sends nothing twice', async () => {
      const first = open()
      write(first.sender, 1)
      await reaches(first.sender, 'write-1', 'sent')
      await stop(first)
      const second = open()
      write(second.sender, 2)
      await reaches(second.sender, 'write-2', 'sent')
      await anvil.mine()
      await reaches(second.sender, 'write-1', 'mined')
      await stop(second)
      const { sender } = open()
      write(sender, 3)
      await reaches(sender, 'write-3', 'sent')
      await anvil.mine(1)
      await anvil.mine(finalityBlocks)
      for (const key of [1, 2, 3]) await reaches(sender, `write-${key}`, 'final')
      expect(await written()).toEqual([1, 2, 3])
      expect(await nonces()).toBe(3)
    })

    test('sends what was signed but not sent, in the very form that was signed', async () => {
      proxy.fault = (methods) =>
        methods.includes('eth_sendRawTransaction') ? { status: 502, body: '' } : undefined
      const first = open()
      write(first.sender, 1)
      await eventually(() =>
        expect(first.sender.status('write-1')).toMatchObject({ state: 'queued', hash: expect.any(String) }),
      )
      const signed = first.sender.status('write-1')?.hash
      await stop(first)
      expect(await pool()).toEqual({})
      proxy.fault = () => undefined
      const { sender } = open()
      await eventually(async () =>
        expect(Object.values(await pool()).map(({ hash }) => hash)).toEqual([signed]),
      )
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
    })

    test('finds what was mined while it was away', async () => {
      const first = open()
      write(first.sender, 1)
      await reaches(first.sender, 'write-1', 'sent')
      await stop(first)
      await anvil.mine(finalityBlocks + 2)
      await reaches(open().sender, 'write-1', 'final')
    })

    test('with another key leaves the old key’s transactions to themselves', async () => {
      const first = open()
      write(first.sender, 1)
      await reaches(first.sender, 'write-1', 'sent')
      await stop(first)
      const { sender } = open({
        privateKey: '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
      })
      write(sender, 2)
      await reaches(sender, 'write-2', 'sent')
      await anvil.mine(1)
      await anvil.mine(finalityBlocks)
      await reaches(sender, 'write-1', 'final')
      await reaches(sender, 'write-2', 'final')
      expect(await nonces()).toBe(1)
    })
  })

  describe('with a transaction that is not mined', () => {
    test('sends it again with fees at least a tenth higher, under the same nonce', async () => {
      const { sender } = open({ resendAfterMs: 50 })
      write(sender, 1)
      await eventually(async () => expect(await pool()).toHaveProperty('0'))
      const before = (await pool())['0']
      await eventually(async () => expect((await pool())['0']?.hash).not.toBe(before?.hash))
      const after = (await pool())['0']
      expect(Number(after?.maxFeePerGas)).toBeGreaterThanOrEqual(Number(before?.maxFeePerGas) * 1.1)
      expect(Number(after?.maxPriorityFeePerGas)).toBeGreaterThanOrEqual(
        Number(before?.maxPriorityFeePerGas) * 1.1,
      )
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
      expect(await nonces()).toBe(1)
    })

    test('keeps to the most it may pay', async () => {
      const maxFeeWei = 2_500_000_000n
      const { sender } = open({ resendAfterMs: 10, maxFeeWei })
      write(sender, 1)
      await reaches(sender, 'write-1', 'sent')
      const rounds = proxy.asked.get('eth_blockNumber') ?? 0
      await eventually(() => expect(proxy.asked.get('eth_blockNumber')).toBeGreaterThan(rounds + 20))
      expect(BigInt((await pool())['0']?.maxFeePerGas ?? 0)).toBeLessThanOrEqual(maxFeeWei)
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
    })

    test('recognises an earlier form of it that was mined after all', async () => {
      const raws: string[] = []
      proxy.fault = async (methods) => {
        // The node takes the first form only; later ones get lost on their way.
        if (methods[0] !== 'eth_sendRawTransaction') return undefined
        raws.push('sent')
        return raws.length === 1
          ? undefined
          : { status: 200, body: '{"jsonrpc":"2.0","id":1,"result":"0x00"}' }
      }
      const { sender } = open({ resendAfterMs: 30 })
      write(sender, 1)
      await eventually(() => expect(raws.length).toBeGreaterThan(2))
      const [first] = Object.values(await pool())
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
      expect(sender.status('write-1')?.hash).toBe(first?.hash)
    })

    test('waits for money, and goes on when there is some', async () => {
      await anvil.rpc.call('anvil_setBalance', [relayer, '0x0'])
      const { sender } = open()
      write(sender, 1)
      await eventually(() => expect(proxy.asked.get('eth_sendRawTransaction')).toBeGreaterThan(1))
      expect(sender.status('write-1')).toMatchObject({ state: 'queued' })
      expect(await pool()).toEqual({})
      await anvil.rpc.call('anvil_setBalance', [relayer, '0xde0b6b3a7640000'])
      await eventually(async () => expect(Object.keys(await pool())).toHaveLength(1))
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
    })

    test('queues it anew when another program took its nonce, once that is final', async () => {
      const thief = new Wallet(relayerKey)
      proxy.fault = (methods) =>
        methods.includes('eth_sendRawTransaction')
          ? { status: 200, body: '{"jsonrpc":"2.0","id":1,"result":"0x00"}' }
          : undefined
      const { sender } = open({ resendAfterMs: 20 })
      write(sender, 1)
      await reaches(sender, 'write-1', 'sent')
      const stolen = Transaction.from({
        type: 2,
        chainId,
        nonce: 0,
        to: relayer,
        gasLimit: 21_000n,
        maxFeePerGas: 10n ** 10n,
        maxPriorityFeePerGas: 10n ** 9n,
      })
      await anvil.rpc.call('eth_sendRawTransaction', [await thief.signTransaction(stolen)])
      await anvil.mine()
      proxy.fault = () => undefined
      await anvil.mine(finalityBlocks)
      await eventually(async () => expect(await pool()).toHaveProperty('1'))
      await anvil.mine()
      await reaches(sender, 'write-1', 'mined')
      expect(await nonces()).toBe(2)
    })
  })

  test('waits for a node that is away, and goes on when it is back', async () => {
    let away = true
    proxy.fault = () => (away ? { status: 502, body: '' } : undefined)
    const { sender } = open()
    write(sender, 1)
    await eventually(() => expect(proxy.asked.get('eth_chainId')).toBeGreaterThan(2))
    expect(sender.status('write-1')).toMatchObject({ state: 'queued' })
    away = false
    await reaches(sender, 'write-1', 'sent')
  })

  test('asks the node nothing while it has nothing to do', async () => {
    const { sender } = open()
    write(sender, 1)
    await reaches(sender, 'write-1', 'sent')
    await anvil.mine(1)
    await anvil.mine(finalityBlocks)
    await reaches(sender, 'write-1', 'final')
    const quiet = open()
    expect(quiet.sender.status('write-1')).toMatchObject({ state: 'final' })
    const asked = proxy.asked.get('eth_chainId')
    await stop(quiet)
    expect(proxy.asked.get('eth_chainId')).toBe(asked)
  })

  test('ends with its signal, too', async () => {
    const controller = new AbortController()
    const process = open({ signal: controller.signal, pollMs: 60_000 })
    write(process.sender, 1)
    await reaches(process.sender, 'write-1', 'sent')
    controller.abort()
    await stop(process)
  })
})

/** Waits until `check` passes; its last failure is the test's. */
async function eventually(check: () => Promise<void> | void): Promise<void> {
  const deadline = Date.now() + 4_000
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
