import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../testing/eventually.ts'
import type { Anvil } from './testing/anvil.ts'
import type { FaultProxy } from './testing/fault-proxy.ts'
import { createSenderBench, finalityBlocks, type SenderBench } from './testing/sender-bench.ts'

describe('a sender recovers', () => {
  let bench: SenderBench
  let anvil: Anvil
  let proxy: FaultProxy

  beforeEach(async () => {
    bench = await createSenderBench()
    ;({ anvil, proxy } = bench)
  })

  afterEach(() => bench.close())

  describe('when the chain is reorganised', () => {
    test('sends again what was mined and is not any more, until it is final', async () => {
      const { sender } = bench.open()
      bench.write(sender, 1)
      await bench.reaches(sender, 'write-1', 'sent')
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
      await anvil.reorg(1)
      expect(await bench.written()).toEqual([])
      await eventually(async () => expect(Object.keys(await bench.pool())).toHaveLength(1))
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
      await anvil.mine(finalityBlocks)
      await bench.reaches(sender, 'write-1', 'final')
      expect(await bench.written()).toEqual([1])
    })

    test('notices that it was away', async () => {
      const before = bench.open()
      bench.write(before.sender, 1)
      bench.write(before.sender, 2)
      await bench.reaches(before.sender, 'write-2', 'sent')
      await anvil.mine()
      await bench.reaches(before.sender, 'write-2', 'mined')
      await bench.stop(before)
      await anvil.reorg(1)
      const { sender } = bench.open()
      await eventually(async () => expect(Object.keys(await bench.pool())).toHaveLength(2))
      await anvil.mine(1)
      await anvil.mine(finalityBlocks)
      await bench.reaches(sender, 'write-1', 'final')
      await bench.reaches(sender, 'write-2', 'final')
      expect(await bench.written()).toEqual([1, 2])
    })
  })

  describe('when the node forgets a transaction that was not mined', () => {
    test('gives it to the node again, in the same form, without waiting for the time of a raised fee', async () => {
      const { sender } = bench.open({ resendAfterMs: 600_000 })
      bench.write(sender, 1)
      await bench.reaches(sender, 'write-1', 'sent')
      const before = await bench.pool()
      await anvil.rpc.call('anvil_dropAllTransactions', [])
      expect(await bench.pool()).toEqual({})
      await eventually(async () => expect(await bench.pool()).toEqual(before), 8_000)
    })
  })

  describe('when it is started again', () => {
    test('goes on with what was queued, sent or mined, and sends nothing twice', async () => {
      const first = bench.open()
      bench.write(first.sender, 1)
      await bench.reaches(first.sender, 'write-1', 'sent')
      await bench.stop(first)
      const second = bench.open()
      bench.write(second.sender, 2)
      await bench.reaches(second.sender, 'write-2', 'sent')
      await anvil.mine()
      await bench.reaches(second.sender, 'write-1', 'mined')
      await bench.stop(second)
      const { sender } = bench.open()
      bench.write(sender, 3)
      await bench.reaches(sender, 'write-3', 'sent')
      await anvil.mine(1)
      await anvil.mine(finalityBlocks)
      for (const key of [1, 2, 3]) await bench.reaches(sender, `write-${key}`, 'final')
      expect(await bench.written()).toEqual([1, 2, 3])
      expect(await bench.nonces()).toBe(3)
    })

    test('sends what was signed but not sent, in the very form that was signed', async () => {
      proxy.fault = (methods) =>
        methods.includes('eth_sendRawTransaction') ? { status: 502, body: '' } : undefined
      const first = bench.open()
      bench.write(first.sender, 1)
      await eventually(() =>
        expect(first.sender.status('write-1')).toMatchObject({ state: 'queued', hash: expect.any(String) }),
      )
      const signed = first.sender.status('write-1')?.hash
      await bench.stop(first)
      expect(await bench.pool()).toEqual({})
      proxy.fault = () => undefined
      const { sender } = bench.open()
      await eventually(async () =>
        expect(Object.values(await bench.pool()).map(({ hash }) => hash)).toEqual([signed]),
      )
      await anvil.mine()
      await bench.reaches(sender, 'write-1', 'mined')
    })

    test('finds what was mined while it was away', async () => {
      const first = bench.open()
      bench.write(first.sender, 1)
      await bench.reaches(first.sender, 'write-1', 'sent')
      await bench.stop(first)
      await anvil.mine(finalityBlocks + 2)
      await bench.reaches(bench.open().sender, 'write-1', 'final')
    })

    test('with another key leaves the old key’s transactions to themselves', async () => {
      const first = bench.open()
      bench.write(first.sender, 1)
      await bench.reaches(first.sender, 'write-1', 'sent')
      await bench.stop(first)
      const { sender } = bench.open({
        privateKey: '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
      })
      bench.write(sender, 2)
      await bench.reaches(sender, 'write-2', 'sent')
      await anvil.mine(1)
      await anvil.mine(finalityBlocks)
      await bench.reaches(sender, 'write-1', 'final')
      await bench.reaches(sender, 'write-2', 'final')
      expect(await bench.nonces()).toBe(1)
    })
  })

  test('waits for a node that is away, and goes on when it is back', async () => {
    let away = true
    proxy.fault = () => (away ? { status: 502, body: '' } : undefined)
    const { sender } = bench.open()
    bench.write(sender, 1)
    await eventually(() => expect(proxy.asked.get('eth_chainId')).toBeGreaterThan(2))
    expect(sender.status('write-1')).toMatchObject({ state: 'queued' })
    away = false
    await bench.reaches(sender, 'write-1', 'sent')
  })
})
