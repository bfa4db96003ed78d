import { Problem } from '@hexachord/platform/http'
import { eventually } from '@hexachord/platform/testing'
import type { Address } from '@hexachord/protocol/names'
import { signMessage } from '@hexachord/protocol/signing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { lower, openTestTill, type PaidChain, startPaidChain, type TestTill } from './fixtures/index.ts'

let paid: PaidChain
beforeAll(async () => {
  paid = await startPaidChain()
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

const inAnHour = () => Math.floor(Date.now() / 1000) + 3_600

async function signed(
  till: TestTill,
  key: Wallet,
  { payer = lower(key), total = 10_000n, deadline = inAnHour() } = {},
) {
  const message = { payer, node: till.operator.address, total, deadline: BigInt(deadline) }
  return { payer, total, deadline, signature: await signMessage(key, paid.domain, 'Reserve', message) }
}

const by = (key: Address) => ({ key, unitPrice: 100n, nodeBps: 1_500 })

async function refusalOf(work: Promise<void>): Promise<{ status: number; detail: string }> {
  try {
    await work
  } catch (error) {
    if (error instanceof Problem) return { status: error.status, detail: error.message }
    throw error
  }
  throw new Error('it was not refused')
}

describe('a signed reserve', () => {
  test('is brought to the chain, counted on meanwhile, and there after a reorganisation, too', async () => {
    const till = await open()
    const payer = await paid.account(50_000n)
    const reserve = await signed(till, payer)
    await till.relay.take(reserve, by(lower(payer)))
    await till.relay.take(reserve, by(lower(payer)))
    const counted = {
      payer: lower(payer),
      key: lower(payer),
      total: 10_000n,
      untilMs: reserve.deadline * 1000,
    }
    for (const awaited of till.book.awaited) expect(awaited).toEqual(counted)
    expect(till.book.awaited.length).toBeGreaterThan(0)
    const reserved = () => till.till.view.channel(lower(payer), lower(payer)).reserved
    await eventually(() => expect(reserved()).toBe(10_000n))
    await paid.chain.reorganise(1)
    await eventually(() => expect(reserved()).toBe(0n))
    await eventually(() => expect(reserved()).toBe(10_000n))
    await paid.chain.mine(4)
    await eventually(() => expect(BigInt(till.till.status().gasSpentWei)).toBeGreaterThan(0n))
    for (const awaited of till.book.awaited) expect(awaited).toEqual(counted)
  })

  test('of a session key is brought there within its cap', async () => {
    const till = await open()
    const [payer, key] = [await paid.account(50_000n), new Wallet(Wallet.createRandom().privateKey)]
    await paid.call(payer, 'escrow', 'authorizeSession', key.address, 12_000n, inAnHour())
    await till.relay.take(await signed(till, key, { payer: lower(payer) }), by(lower(key)))
    await eventually(() => expect(till.till.view.channel(lower(payer), lower(key)).reserved).toBe(10_000n))
    const more = await signed(till, key, { payer: lower(payer), total: 20_000n })
    expect((await refusalOf(till.relay.take(more, by(lower(key))))).detail).toMatch(
      /StreamSessionCapExceeded/,
    )
  })

  test('is refused where the chain would refuse it, or it costs more than it brings', async () => {
    const till = await open({ weiPerUnit: 1n })
    const [payer, poor] = [await paid.account(10n ** 12n), await paid.account(9_999n)]
    const me = by(lower(payer))
    const wrong = async (change: Parameters<typeof signed>[2], signer: Wallet = payer, whose = me) =>
      (await refusalOf(till.relay.take(await signed(till, signer, change), whose))).detail
    expect(await wrong({ deadline: inAnHour() - 3_590 })).toMatch(/expires too soon/)
    expect(await wrong({}, poor)).toMatch(/key of this session/)
    expect(await wrong({ total: 999n })).toMatch(/1000 or more/)
    expect(await wrong({ total: 100_000n })).toMatch(/less than its gas/)
    const signature = `0x${'00'.repeat(65)}`
    const nonsense = till.relay.take({ ...(await signed(till, payer)), signature }, me)
    expect((await refusalOf(nonsense)).status).toBe(422)
    const free = await open()
    const owed = await signed(free, poor)
    const late = refusalOf(free.relay.take(owed, by(lower(poor))))
    expect((await late).detail).toMatch(/StreamBalanceInsufficient/)
    expect(till.book.awaited).toEqual([])
  })

  test('is not counted on any more when its money goes elsewhere in the block before', async () => {
    const till = await open()
    const payer = await paid.account(10_000n)
    await paid.mineAtOnce(false)
    await till.relay.take(await signed(till, payer), by(lower(payer)))
    const first = { gasLimit: 200_000, maxPriorityFeePerGas: 10n ** 11n, maxFeePerGas: 10n ** 12n }
    const draining = paid.call(payer, 'escrow', 'withdraw', payer.address, 10_000n, first)
    await eventually(async () => expect(await paid.waiting()).toBe(2))
    await paid.mineAtOnce(true)
    await draining
    await paid.chain.mine(4)
    await eventually(() => expect(till.book.awaited.at(-1)).toMatchObject({ total: 10_000n, untilMs: 0 }))
    expect(till.till.view.channel(lower(payer), lower(payer)).reserved).toBe(0n)
  })

  test('is one of few that a payer may have on their way', async () => {
    const till = await open()
    const payer = await paid.account(1_000_000n)
    const key = lower(payer)
    await paid.mineAtOnce(false)
    try {
      await till.relay.take(await signed(till, payer, { total: 10_000n }), by(key))
      await till.relay.take(await signed(till, payer, { total: 20_000n }), by(key))
      const third = till.relay.take(await signed(till, payer, { total: 30_000n }), by(key))
      expect((await refusalOf(third)).status).toBe(429)
    } finally {
      await paid.mineAtOnce(true)
    }
  })

  test('has to wait while the chain is away', async () => {
    const till = await open({ rpcUrl: 'http://127.0.0.1:1' })
    const payer = await paid.account(50_000n)
    const answer = await refusalOf(till.relay.take(await signed(till, payer), by(lower(payer))))
    expect(answer.status).toBe(503)
  })
})
