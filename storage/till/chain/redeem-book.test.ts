import { RpcError } from '@hexachord/platform/chain'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { packLines } from '@hexachord/protocol/payments'
import { describe, expect, test } from '@jest/globals'
import { hexlify } from 'ethers'
import { type BookRecord, createBook } from '../book/index.ts'
import { escrowInterface } from './payment-logs.ts'
import { createRedeemer } from './redeemer.ts'
import { createTillTables, tillMigrations } from './till-tables.ts'

const address = (digits: string): Address => `0x${digits.repeat(20)}`
const [payer, author, nobody, escrow] = ['0a', '0d', '00', 'e5'].map(address) as [
  Address,
  Address,
  Address,
  Address,
]
/** 0.01 gwei, and a millionth of a dollar where ether costs 3,000. */
const [gasPrice, weiPerUnit] = [10_000_000n, 333_333_333n]
const unitPrice = 134n
const [hourMs, weekMs] = [3_600_000, 7 * 24 * 3_600_000]
const songs = Array.from({ length: 200 }, (_, n) => subjectOf(author, BigInt(n + 1)))
/** As measured, of tracks that have earned before: see the snapshots of the contracts. */
const gasOfTransaction = (lines: number) => 51_000n + 14_300n * BigInt(lines)

/** A book and its redeemer, with an escrow that takes what the contract takes, and a sender that says what becomes of it. */
function redeeming() {
  const chain = { reserved: 10_000_000n, released: 0n, releasing: 0n, settled: 0n }
  const state = { now: 1, outcome: 'pending' as 'pending' | 'mined' | 'final' | 'failed', gasFactor: 1n }
  const sent: { id: string; data: string }[] = []
  const records: BookRecord[] = []
  const view = {
    termsOf: () => ({ unitPrice, nodeBps: 1_500, curatorBps: 0, version: 1 }),
    channel: () => ({ ...chain }),
    finalChannel: () => ({ ...chain }),
    changing: () => [],
  }
  const make = (write: (record: BookRecord) => void) =>
    createBook({
      ...{ view, write, leastNodeBps: 0, mostChannels: 10, now: () => state.now },
      limits: { sessions: 10, sessionsOfChannel: 10 },
    })
  const book = make((record) => records.push(record))
  const session = book.open({
    ...{ token: 'token', opening: '0x01', payer, key: payer, subject: songs[0] ?? '0x-', curator: nobody },
    ...{ manifest: 'bafy', units: 100, expiresAt: Number.MAX_SAFE_INTEGER },
  })

  function claimsIn(data: string): { base: bigint; cumulative: bigint; lines: string }[] {
    return escrowInterface.decodeFunctionData('redeem', data).claims
  }
  /** @returns where the channel is settled after it @throws as the chain's node does */
  function run(data: string): bigint {
    return claimsIn(data).reduce((settled, { base, cumulative }) => {
      const isTaken = base === settled && cumulative <= chain.reserved - chain.released
      if (!isTaken) throw new RpcError('eth_call', { code: 3, message: 'execution reverted' })
      return cumulative
    }, chain.settled)
  }
  const tables = createTillTables(openSqlite(':memory:', { migrations: tillMigrations }))
  const redeemer = createRedeemer({
    ...{ book, view, tables, escrow, operator: author, everyMs: weekMs, weiPerUnit },
    sender: {
      address: address('0e'),
      enqueue(transaction) {
        sent.push(transaction)
        return undefined as never
      },
      status: () => ({ state: state.outcome, hash: null, reason: null }) as never,
    },
    rpc: {
      async call(method, [{ data }]: readonly [{ data: string }]) {
        run(data)
        const lines = claimsIn(data).reduce((sum, claim) => sum + (claim.lines.length - 2) / 128, 0)
        return method === 'eth_estimateGas'
          ? `0x${(gasOfTransaction(lines) * state.gasFactor).toString(16)}`
          : '0x'
      },
    },
    ...{ gasPrice: async () => gasPrice, costOf: async () => 0n, now: () => state.now },
    logger: createLogger({ service: 'test', level: 'silent' }),
  })

  return {
    ...{ book, chain, state, sent, records },
    /** Pays so many units of each song. */
    pay(units: readonly (readonly [song: number, units: number])[]) {
      const { base } = session.channel
      const lines = units.map(([song, count]) => ({
        ...{ track: subjectToBytes32(songs[song] ?? '0x-'), curator: nobody },
        amount: unitPrice * BigInt(count),
      }))
      const cumulative = lines.reduce((sum, { amount }) => sum + amount, base)
      const packed = hexlify(packLines(lines)) as `0x${string}`
      book.accept(session, { payer, base, cumulative, lines: packed, signature: '0x00' }, payer)
    },
    async roundAfter(ms: number) {
      state.now += ms
      await redeemer.round()
      expect(snapshotOf(again())).toEqual(snapshotOf(book))
      return sent.length
    },
    /** Where the vouchers of each transaction end. */
    ends: () => sent.map(({ data }) => claimsIn(data).map(({ cumulative }) => cumulative)),
    mine(index: number) {
      chain.settled = run(sent[index]?.data ?? '')
      state.outcome = 'mined'
    },
    channel: session.channel,
  }

  /** The book as it is after a restart. */
  function again() {
    const copy = make(() => undefined)
    for (const record of records) copy.apply(JSON.parse(JSON.stringify(record)))
    return copy
  }
}

const snapshotOf = (book: { snapshot(): Iterable<BookRecord> }) => [...book.snapshot()]
const skimmed = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => [from + n, 1] as const)
const heard = Array.from({ length: 16 }, (_, n) => [100 + n, 187] as const)

describe('a voucher of 48 lines', () => {
  test('that is worth its gas is redeemed by itself', async () => {
    const { pay, roundAfter, ends, channel } = redeeming()
    pay(Array.from({ length: 48 }, (_, n) => [n, 40] as const))
    expect(channel.frozen).toHaveLength(1)
    expect(await roundAfter(1)).toBe(1)
    expect(ends()).toEqual([[48n * 40n * unitPrice]])
  })

  test('of tracks that were hardly heard waits, and is redeemed in one transaction with what follows', async () => {
    const { pay, roundAfter, ends, channel, mine, state, chain } = redeeming()
    pay(skimmed(0, 48))
    expect(await roundAfter(hourMs)).toBe(0)
    pay(heard)
    expect(await roundAfter(hourMs)).toBe(0)
    expect(await roundAfter(weekMs)).toBe(1)
    const [first, second] = [48n * unitPrice, (48n + 16n * 187n) * unitPrice]
    expect(ends()).toEqual([[first, second]])
    mine(0)
    expect(chain.settled).toBe(second)
    state.outcome = 'final'
    await roundAfter(1)
    expect(channel).toMatchObject({ base: second, frozen: [], last: undefined })
  })

  test('is redeemed with what follows at once when the reserve is asked back', async () => {
    const { pay, roundAfter, chain, ends } = redeeming()
    pay(skimmed(0, 48))
    pay(heard)
    chain.releasing = 9_000_000n
    expect(await roundAfter(1)).toBe(1)
    expect(ends()[0]).toHaveLength(2)
  })

  test('waits while what follows does not make up for it, which goes on meanwhile', async () => {
    const { pay, roundAfter, channel } = redeeming()
    pay(skimmed(0, 48))
    pay(skimmed(60, 64))
    expect(await roundAfter(weekMs)).toBe(0)
    expect(channel).toMatchObject({ frozen: [{ base: 0n }], last: { base: 48n * unitPrice } })
    pay([...skimmed(60, 63), [123, 4_000]])
    // It is full: nobody waits for another week.
    expect(await roundAfter(hourMs)).toBe(1)
    expect(channel.frozen).toHaveLength(2)
  })

  test('that is worth it by itself does not take along what is not', async () => {
    const { pay, roundAfter, ends, channel } = redeeming()
    pay(Array.from({ length: 48 }, (_, n) => [n, 200] as const))
    pay(skimmed(60, 20))
    expect(await roundAfter(weekMs)).toBe(1)
    expect(ends()).toEqual([[48n * 200n * unitPrice]])
    expect(channel.last).toBeDefined()
  })
})

describe('a redemption of two vouchers', () => {
  async function sentTwo() {
    const world = redeeming()
    world.pay(skimmed(0, 48))
    world.pay(heard)
    expect(await world.roundAfter(weekMs)).toBe(1)
    return { ...world, end: (48n + 16n * 187n) * unitPrice }
  }

  test('that a reorganisation undoes is kept, whole, until it is final', async () => {
    const { mine, roundAfter, channel, chain, state, end, pay } = await sentTwo()
    mine(0)
    await roundAfter(1)
    chain.settled = 0n
    state.outcome = 'pending'
    pay([[150, 10]])
    expect(await roundAfter(weekMs)).toBe(1)
    expect(channel).toMatchObject({ base: end, frozen: [{ base: 0n }, { cumulative: end }] })
    mine(0)
    state.outcome = 'final'
    await roundAfter(1)
    expect(channel).toMatchObject({ base: end, frozen: [], last: { base: end } })
  })

  test('that failed is sent again, and what follows with it once that is due', async () => {
    const { state, roundAfter, ends, mine, pay, chain, end } = await sentTwo()
    state.outcome = 'failed'
    expect(await roundAfter(1)).toBe(2)
    expect(ends()[1]).toEqual(ends()[0])
    pay([[150, 1_000]])
    state.outcome = 'failed'
    expect(await roundAfter(weekMs)).toBe(3)
    expect(ends()[2]).toEqual([...(ends()[0] ?? []), end + 1_000n * unitPrice])
    mine(2)
    expect(chain.settled).toBe(end + 1_000n * unitPrice)
  })

  test('that failed since it was done already, wholly or in part, is not sent again', async () => {
    const { state, roundAfter, channel, chain, ends, end } = await sentTwo()
    const [first = 0n] = ends()[0] ?? []
    chain.settled = first
    state.outcome = 'failed'
    await roundAfter(1)
    expect(channel.frozen).toMatchObject([{ base: first, cumulative: end }])
    expect(await roundAfter(1)).toBe(2)
    expect(ends()[1]).toEqual([end])
    chain.settled = end
    await roundAfter(1)
    expect(await roundAfter(1)).toBe(2)
    expect(channel).toMatchObject({ base: end, frozen: [], last: undefined })
  })
})
