import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Transaction, Wallet } from 'ethers'
import { eventually } from '../testing/eventually.ts'
import { OutboxConflict } from './index.ts'
import { type Anvil, chainId, ledger, relayerKey, wordOf } from './testing/anvil.ts'
import type { FaultProxy } from './testing/fault-proxy.ts'
import { createSenderBench, finalityBlocks, relayer, type SenderBench } from './testing/sender-bench.ts'

describe('a sender', () => {
  let bench: SenderBench
  let anvil: Anvil
  let proxy: FaultProxy

  beforeEach(async () => {
    bench = await createSenderBench()
    ;({ anvil, proxy } = bench)
  })

  afterEach(() => bench.close())

  test('brings a transaction from queued over sent and mined to final', async () => {
    const { sender } = bench.open()
    const seen: string[] = []
    const unsubscribe = sender.onChange(({ id, state }) => seen.push(`${id} ${state}`))
    expect(bench.write(sender, 1)).toEqual({
      id: 'write-1',
      state: 'queued',
      hash: null,
      blockNumber: null,
      reason: null,
    })
    await bench.reaches(sender, 'write-1', 'sent')
    await anvil.mine()
    await bench.reaches(sender, 'write-1', 'mined')
    const block = await anvil.head()
    expect(sender.status('write-1')).toMatchObject({
      hash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      blockNumber: block,
    })
    await anvil.mine(finalityBlocks)
    await bench.reaches(sender, 'write-1', 'final')
    expect(seen).toEqual(['write-1 sent', 'write-1 mined', 'write-1 final'])
    expect(await bench.written()).toEqual([1])
    unsubscribe()
    expect(sender.counts()).toEqual({ queued: 0, sent: 0 })
    expect(sender.address).toBe(relayer)
  })

  test('takes an id once, and refuses it for something else', async () => {
    const { sender } = bench.open()
    bench.write(sender, 1)
    bench.write(sender, 1)
    expect(() => bench.write(sender, 2, 'write-1')).toThrow(OutboxConflict)
    await bench.reaches(sender, 'write-1', 'sent')
    await anvil.mine()
    await bench.reaches(sender, 'write-1', 'mined')
    expect(bench.write(sender, 1)).toMatchObject({ state: 'mined' })
    expect(await bench.written()).toEqual([1])
  })

  test('refuses what is no call at all', () => {
    const { sender } = bench.open()
    expect(() => sender.enqueue({ id: 'x', to: 'nowhere', data: '0x' })).toThrow()
    expect(() => sender.enqueue({ id: 'x', to: ledger, data: 'hello' })).toThrow('0x and hex')
    expect(sender.status('x')).toBeNull()
  })

  test('sends many in the order in which they came, some at a time', async () => {
    const { sender } = bench.open({ maxInFlight: 4 })
    const keys = Array.from({ length: 11 }, (_, index) => index + 1)
    for (const key of keys) bench.write(sender, key)
    while ((await bench.written()).length < keys.length) {
      await eventually(() => expect(sender.counts().sent).toBeGreaterThan(0))
      expect(sender.counts().sent).toBeLessThanOrEqual(4)
      await anvil.mine()
    }
    expect(await bench.written()).toEqual(keys)
  })

  describe('with a call that the contract refuses', () => {
    test('fails it with the reason, and spends nothing', async () => {
      const { sender } = bench.open()
      await anvil.write(7)
      await anvil.mine()
      bench.write(sender, 7)
      await bench.reaches(sender, 'write-7', 'failed')
      expect(sender.status('write-7')).toMatchObject({ reason: `Used(${wordOf(7)})`, hash: null })
      expect(await bench.nonces()).toBe(0)
    })

    test('goes on with the next one', async () => {
      const { sender } = bench.open()
      await anvil.write(7)
      await anvil.mine()
      bench.write(sender, 7)
      bench.write(sender, 8)
      await bench.reaches(sender, 'write-8', 'sent')
      await anvil.mine()
      await bench.reaches(sender, 'write-8', 'mined')
    })

    test('sees that another one of its own in the pool makes it so', async () => {
      const { sender } = bench.open()
      bench.write(sender, 7, 'first')
      await bench.reaches(sender, 'first', 'sent')
      bench.write(sender, 7, 'second')
      await bench.reaches(sender, 'second', 'failed')
    })

    test('tells the reason, too, when it is refused only as it is mined', async () => {
      const { sender } = bench.open()
      bench.write(sender, 7)
      await bench.reaches(sender, 'write-7', 'sent')
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
      await bench.reaches(sender, 'write-7', 'failed')
      const head = await anvil.head()
      expect(sender.status('write-7')).toMatchObject({ reason: `Used(${wordOf(7)})`, blockNumber: head })
      expect(sender.retry('write-7')).toBe(false)
      await anvil.mine(finalityBlocks)
      await eventually(() => expect(sender.retry('write-7')).toBe(true))
    })

    test('tries it anew when it is told to', async () => {
      const { sender } = bench.open()
      await anvil.write(7)
      await anvil.mine()
      bench.write(sender, 7)
      await bench.reaches(sender, 'write-7', 'failed')
      expect(sender.retry('nothing')).toBe(false)
      await anvil.rollBack(1)
      expect(sender.retry('write-7')).toBe(true)
      await bench.reaches(sender, 'write-7', 'sent')
    })
  })

  describe('with a transaction that is not mined', () => {
    test('sends it again with fees at least a tenth higher, under the same nonce', async () => {
      const { sender } = bench.open({ resendAfterMs: 50 })
      bench.write(sender, 1)
      await eventually(async () => expect(await bench.pool()).toHaveProperty('0'))
      const before = (await bench.pool())['0']
      await eventually(async () => expect((await bench.pool())['0']?.hash).not.toBe(before?.hash))
      const after = (await bench.pool())['0']
      expect(Number(after?.maxFeePerGas)).toBeGreaterThanOrEqual(Number(before?.maxFeePerGas) * 1.1)
      expect(Number(after?.maxPriorityFeePerGas)).toBeGreaterThanOrEqual(
        Number(before?.maxPriorityFeePerGas) * 1.1,
      )
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
      expect(await bench.nonces()).toBe(1)
    })

    test('keeps to the most it may pay', async () => {
      const maxFeeWei = 2_500_000_000n
      const { sender } = bench.open({ resendAfterMs: 10, maxFeeWei })
      bench.write(sender, 1)
      await bench.reaches(sender, 'write-1', 'sent')
      const rounds = proxy.asked.get('eth_blockNumber') ?? 0
      await eventually(() => expect(proxy.asked.get('eth_blockNumber')).toBeGreaterThan(rounds + 20))
      expect(BigInt((await bench.pool())['0']?.maxFeePerGas ?? 0)).toBeLessThanOrEqual(maxFeeWei)
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
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
      const { sender } = bench.open({ resendAfterMs: 30 })
      bench.write(sender, 1)
      await eventually(() => expect(raws.length).toBeGreaterThan(2))
      const [first] = Object.values(await bench.pool())
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
      expect(sender.status('write-1')?.hash).toBe(first?.hash)
    })

    test('waits for money, and goes on when there is some', async () => {
      await anvil.rpc.call('anvil_setBalance', [relayer, '0x0'])
      const { sender } = bench.open()
      bench.write(sender, 1)
      await eventually(() => expect(proxy.asked.get('eth_sendRawTransaction')).toBeGreaterThan(1))
      expect(sender.status('write-1')).toMatchObject({ state: 'queued' })
      expect(await bench.pool()).toEqual({})
      await anvil.rpc.call('anvil_setBalance', [relayer, '0xde0b6b3a7640000'])
      await eventually(async () => expect(Object.keys(await bench.pool())).toHaveLength(1))
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
    })

    test('queues it anew when another program took its nonce, once that is final', async () => {
      const thief = new Wallet(relayerKey)
      proxy.fault = (methods) =>
        methods.includes('eth_sendRawTransaction')
          ? { status: 200, body: '{"jsonrpc":"2.0","id":1,"result":"0x00"}' }
          : undefined
      const { sender } = bench.open({ resendAfterMs: 20 })
      bench.write(sender, 1)
      await bench.reaches(sender, 'write-1', 'sent')
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
      await eventually(async () => expect(await bench.pool()).toHaveProperty('1'))
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
      expect(await bench.nonces()).toBe(2)
    })
  })

  test('asks the node nothing while it has nothing to do', async () => {
    const { sender } = bench.open()
    bench.write(sender, 1)
    await bench.reaches(sender, 'write-1', 'sent')
    await anvil.mine(1)
    await anvil.mine(finalityBlocks)
    await bench.reaches(sender, 'write-1', 'final')
    const quiet = bench.open()
    expect(quiet.sender.status('write-1')).toMatchObject({ state: 'final' })
    const asked = proxy.asked.get('eth_chainId')
    await bench.stop(quiet)
    expect(proxy.asked.get('eth_chainId')).toBe(asked)
  })

  test('ends with its signal, too', async () => {
    const controller = new AbortController()
    const process = bench.open({ signal: controller.signal, pollMs: 60_000 })
    bench.write(process.sender, 1)
    await bench.reaches(process.sender, 'write-1', 'sent')
    controller.abort()
    await bench.stop(process)
  })
})
