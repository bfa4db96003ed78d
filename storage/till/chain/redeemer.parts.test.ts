import { startFaultProxy } from '@hexachord/platform/chain/testing'
import { eventually } from '@hexachord/platform/testing'
import type { Address, Hash } from '@hexachord/protocol/names'
import { type Line, splitLine } from '@hexachord/protocol/payments'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import {
  lower,
  openTestTill,
  type PaidChain,
  signVoucher,
  startPaidChain,
  type TestTill,
} from './fixtures/index.ts'

const curator: Address = '0x2222222222222222222222222222222222222222'
const dayMs = 24 * 3_600_000
const shares = { nodeBps: 1_500, curatorBps: 300 }

let paid: PaidChain
let track: Hash
beforeAll(async () => {
  paid = await startPaidChain()
  track = await paid.setTerms(await paid.account(), 1n, shares)
}, 60_000)
afterAll(() => paid.close())

const opened: TestTill[] = []
afterEach(async () => {
  for (const till of opened.splice(0)) await till.close()
})
async function open(change: Parameters<typeof openTestTill>[1] = {}): Promise<TestTill> {
  const till = await openTestTill(paid, change)
  opened.push(till)
  return till
}

/** A listener with a reserve of 10,000 at a till, which knows of it. */
async function listener({ operator, till }: TestTill): Promise<Wallet> {
  const payer = await paid.account(20_000n)
  await paid.call(payer, 'escrow', 'reserve', [{ node: operator.address, total: 10_000n }])
  await eventually(() => expect(till.view.channel(lower(payer), lower(payer)).reserved).toBe(10_000n))
  return payer
}

async function pay(till: TestTill, payer: Wallet, amount: bigint, base = 0n, heard = track): Promise<Line> {
  const line = { track: heard, curator, amount }
  const of = { payer: lower(payer), node: till.operator.address, base, lines: [line] }
  till.book.put(lower(payer), await signVoucher(paid.domain, payer, of))
  return line
}

const settledOf = ({ till }: TestTill, payer: Wallet) => till.view.channel(lower(payer), lower(payer)).settled

describe('what listeners owe', () => {
  test('is redeemed in one transaction when half of their reserves is owed, to node, curator and track', async () => {
    const till = await open()
    const payers = [await listener(till), await listener(till), await listener(till)]
    const little = await listener(till)
    await pay(till, little, 4_999n)
    const before = await balances(till)
    const head = await paid.chain.head()
    let line: Line | undefined
    for (const payer of payers) line = await pay(till, payer, 5_001n)
    if (line === undefined) throw new Error('nobody paid')
    await eventually(() =>
      expect(payers.map((payer) => settledOf(till, payer))).toEqual([5_001n, 5_001n, 5_001n]),
    )
    const { node, curator: rebate, track: rest } = splitLine(line, shares)
    expect(await balances(till)).toEqual({
      node: before.node + node * 3n,
      curator: before.curator + rebate * 3n,
      earned: before.earned + rest * 3n,
    })
    expect(await paid.chain.head()).toBeLessThanOrEqual(head + 3)
    expect(settledOf(till, little)).toBe(0n)
    await paid.chain.mine(4)
    await eventually(() => expect(till.book.settlements).toHaveLength(3))
    expect(till.till.status()).toMatchObject({ redeemed: '15003', redeeming: 0, isShortOfGas: false })
  })

  test('is redeemed at once when a payer asks for its reserve back, before it can have it', async () => {
    const till = await open()
    const payer = await listener(till)
    await pay(till, payer, 1_000n)
    await paid.call(payer, 'escrow', 'initiateRelease', payer.address, till.operator.address, 10_000n)
    await eventually(() => expect(settledOf(till, payer)).toBe(1_000n))
    await paid.later(61)
    await paid.call(payer, 'escrow', 'finalizeRelease', payer.address, till.operator.address)
    expect(await paid.balanceOf(payer.address)).toBe(19_000n)
  })

  test('is redeemed all of it in its time', async () => {
    let later = 0
    const till = await open({ now: () => Date.now() + later })
    const payer = await listener(till)
    await pay(till, payer, 10n)
    await paid.chain.mine(1)
    later = 3_700_000
    await eventually(() => expect(settledOf(till, payer)).toBe(10n))
  })

  test('is redeemed under the terms under which it was heard, before others come into force', async () => {
    let later = 0
    const redeemEveryMs = 30 * dayMs
    const till = await open({ now: () => Date.now() + later, redeemEveryMs })
    const [payer, other] = [await listener(till), await listener(till)]
    const artist = await paid.account()
    const heard = await paid.setTerms(artist, 1n, shares)
    await pay(till, payer, 1_000n, 0n, heard)
    await pay(till, other, 1_000n)
    await paid.setTerms(artist, 1n, { nodeBps: 500, curatorBps: 0 })
    await eventually(() => expect(till.till.view.changing(8 * dayMs)).toEqual([heard]))
    const before = await paid.balanceOf(till.operator.address)
    later = 5 * dayMs
    await paid.chain.mine(1)
    expect(settledOf(till, payer)).toBe(0n)
    expect(till.till.view.changing(dayMs)).toEqual([])
    later = 6 * dayMs + 3_600_000
    await paid.later(later / 1000)
    await eventually(() => expect(settledOf(till, payer)).toBe(1_000n))
    expect(await paid.balanceOf(till.operator.address)).toBe(before + 150n)
    expect(settledOf(till, other)).toBe(0n)
    expect(await paid.escrow.getFunction('earnedBy')(heard, 1)).toMatchObject([820n, 0n])
    later = 8 * dayMs
    expect(till.till.view.changing(dayMs)).toEqual([])
  })

  test('is redeemed in time when a payer asked for its reserve back while the chain was away', async () => {
    const proxy = await startFaultProxy(paid.chain.rpcUrl)
    const till = await open({ rpcUrl: proxy.url })
    try {
      const payer = await listener(till)
      await pay(till, payer, 1_000n)
      proxy.fault = () => ({ status: 503, body: '' })
      const looks = proxy.asked.get('eth_getBlockByNumber') ?? 0
      await paid.call(payer, 'escrow', 'initiateRelease', payer.address, till.operator.address, 10_000n)
      await paid.later(50)
      await eventually(() => expect(proxy.asked.get('eth_getBlockByNumber')).toBeGreaterThan(looks))
      expect(till.till.view.channel(lower(payer), lower(payer)).releasing).toBe(0n)
      expect([...till.book.channels()][0]?.frozen).toEqual([])
      proxy.fault = () => undefined
      await eventually(() => expect(settledOf(till, payer)).toBe(1_000n), 15_000)
      await paid.later(10)
      await paid.call(payer, 'escrow', 'finalizeRelease', payer.address, till.operator.address)
      expect(await paid.balanceOf(payer.address)).toBe(19_000n)
    } finally {
      await opened.pop()?.close()
      await proxy.close()
    }
  })

  test('waits while the chain is away, and is redeemed when it is back', async () => {
    const proxy = await startFaultProxy(paid.chain.rpcUrl)
    const till = await open({ rpcUrl: proxy.url })
    try {
      const payer = await listener(till)
      await eventually(() =>
        expect(till.till.view.channel(lower(payer), lower(payer)).reserved).toBe(10_000n),
      )
      proxy.fault = () => ({ status: 503, body: '' })
      await pay(till, payer, 9_000n)
      await eventually(() => expect([...till.book.channels()][0]?.frozen[0]?.cumulative).toBe(9_000n))
      expect(settledOf(till, payer)).toBe(0n)
      proxy.fault = () => undefined
      await eventually(() => expect(settledOf(till, payer)).toBe(9_000n), 15_000)
    } finally {
      await opened.pop()?.close()
      await proxy.close()
    }
  })
})

describe('what is not redeemed', () => {
  test('is a voucher that the chain would refuse; the others of its transaction are', async () => {
    const till = await open()
    const [good, bad] = [await listener(till), await listener(till)]
    await pay(till, bad, 8_000n, 500n)
    await pay(till, good, 8_000n)
    await eventually(() => expect(settledOf(till, good)).toBe(8_000n))
    expect(settledOf(till, bad)).toBe(0n)
    expect([...till.book.channels()].find(({ payer }) => payer === lower(bad))?.frozen).toHaveLength(1)
  })

  test('is what earns the node less than its gas, until it earns more', async () => {
    const till = await open({ weiPerUnit: 10n ** 12n })
    const payer = await listener(till)
    await pay(till, payer, 20n)
    await paid.call(payer, 'escrow', 'initiateRelease', payer.address, till.operator.address, 5_000n)
    await eventually(() => expect(till.till.view.channel(lower(payer), lower(payer)).releasing).toBe(5_000n))
    await paid.chain.mine(1)
    expect([...till.book.channels()][0]?.frozen).toEqual([])
    await pay(till, payer, 9_000n)
    await eventually(() => expect(settledOf(till, payer)).toBe(9_000n))
  })

  test('is what an old voucher has killed that the operator redeemed past its till: the till begins anew', async () => {
    const till = await open()
    const payer = await listener(till)
    const { payer: who, ...old } = await signVoucher(paid.domain, payer, {
      ...{ payer: lower(payer), node: till.operator.address, base: 0n },
      lines: [{ track, curator, amount: 100n }],
    })
    const claim = [{ payer: who, ...old }]
    const thief = await paid.account()
    await expect(paid.call(thief, 'escrow', 'redeem', till.operator.address, claim)).rejects.toThrow()
    await paid.call(till.operator.cold, 'escrow', 'redeem', till.operator.address, claim)
    await pay(till, payer, 9_000n)
    await paid.chain.mine(paid.chain.network.finalityBlocks)
    await eventually(() =>
      expect(till.book.settlements).toContainEqual({ payer: who, key: who, amount: 100n }),
    )
    expect(settledOf(till, payer)).toBe(100n)
  })

  test('is anything once the hot key has no money for gas, which the status says', async () => {
    const till = await open({ hotKeyWei: 1_000n })
    await eventually(() =>
      expect(till.till.status()).toMatchObject({ hotKeyWei: '1000', isShortOfGas: true }),
    )
  })
})

async function balances({ operator }: TestTill) {
  const { total } = await paid.escrow.getFunction('earnedBy')(track, 1)
  return {
    node: await paid.balanceOf(operator.address),
    curator: await paid.balanceOf(curator),
    earned: BigInt(total),
  }
}
