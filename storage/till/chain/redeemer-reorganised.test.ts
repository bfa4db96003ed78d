import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { type Address, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { packLines } from '@hexachord/protocol/payments'
import { expect, test } from '@jest/globals'
import { hexlify } from 'ethers'
import { createBook } from '../book/index.ts'
import { escrowInterface } from './payment-logs.ts'
import { createRedeemer } from './redeemer.ts'
import { createTillTables, tillMigrations } from './till-tables.ts'

const address = (digits: string): Address => `0x${digits.repeat(20)}`
const payer = address('0a')
const subject = subjectOf(address('0d'), 1n)
const track = subjectToBytes32(subject)

/** A book and its redeemer, with a chain that can lose what is not final; a voucher is sent where the chain would take it. */
function redeeming() {
  const zero = { reserved: 0n, released: 0n, releasing: 0n, settled: 0n }
  const [seen, final] = [{ ...zero }, { ...zero }]
  /** Where the vouchers end that were sent. */
  const sent: bigint[] = []
  const view = {
    termsOf: () => ({ unitPrice: 10n, nodeBps: 1_500, curatorBps: 0, version: 1 }),
    channel: () => seen,
    finalChannel: () => final,
    changing: () => [],
  }
  const book = createBook({
    ...{
      view,
      leastNodeBps: 0,
      now: () => 0,
      limits: { sessions: 9, sessionsOfChannel: 9 },
      mostChannels: 9,
    },
    write: () => undefined,
  })
  const session = book.open({
    ...{ token: 'token', opening: '0x01', payer, key: payer, subject, curator: address('00') },
    ...{ manifest: 'bafy', units: 100, expiresAt: 1 },
  })
  const cumulativeIn = (data: string) =>
    BigInt(escrowInterface.decodeFunctionData('redeem', data).claims[0].cumulative)
  const state = { now: 0, status: null as { state: 'sent' | 'failed' } | null }
  const redeemer = createRedeemer({
    ...{ book, view, everyMs: 10 ** 12, weiPerUnit: 0n, escrow: address('e5'), operator: address('0d') },
    tables: createTillTables(openSqlite(':memory:', { migrations: tillMigrations })),
    sender: {
      address: address('0b'),
      enqueue: ({ data }) => {
        sent.push(cumulativeIn(data))
        return undefined as never
      },
      status: () => state.status && ({ ...state.status, hash: null, reason: 'reverted' } as never),
    },
    rpc: { call: async () => '0x' },
    ...{ gasPrice: async () => 0n, costOf: async () => 0n, now: () => state.now },
    logger: createLogger({ service: 'test', level: 'silent' }),
  })
  return {
    ...{ book, channel: session.channel, seen, final, sent, state, round: redeemer.round },
    finalize: () => Object.assign(final, seen),
    reorganise: () => Object.assign(seen, final),
    pay(to: bigint) {
      const { base } = session.channel
      const lines = hexlify(packLines([{ track, curator: address('00'), amount: to - base }]))
      book.accept(
        session,
        { payer, base, cumulative: to, lines: lines as `0x${string}`, signature: '0x' },
        payer,
      )
    },
  }
}

test('a frozen voucher is kept while a reorganisation may undo what kills it, and is redeemed if one does', async () => {
  const { pay, seen, finalize, reorganise, round, sent, channel } = redeeming()
  seen.reserved = 1_000n
  finalize()
  pay(900n)
  seen.settled = 100n
  await round()
  expect(channel).toMatchObject({ base: 900n, frozen: [{ cumulative: 900n }] })
  expect(sent).toEqual([])
  reorganise()
  await round()
  expect(sent).toEqual([900n])
})

test('a frozen voucher is given up once what kills it is final', async () => {
  const { pay, seen, finalize, round, sent, channel } = redeeming()
  seen.reserved = 1_000n
  pay(900n)
  seen.settled = 100n
  finalize()
  await round()
  await round()
  expect([channel.base, channel.frozen, sent]).toEqual([100n, [], []])
})

test('where a raised reserve is gone for good and the rest asked back, what that covers is redeemed', async () => {
  const { pay, seen, finalize, reorganise, round, sent, state, channel } = redeeming()
  seen.reserved = 1_000n
  finalize()
  pay(900n)
  seen.reserved = 1_200n
  pay(1_100n)
  await round()
  expect(sent).toEqual([1_100n])
  state.status = { state: 'sent' }
  reorganise()
  seen.releasing = 1_000n
  await round()
  // It is still on its way: the reserve may come before it.
  expect(channel.frozen).toMatchObject([{ cumulative: 1_100n }])
  state.status = { state: 'failed' }
  await round()
  expect(sent).toEqual([1_100n, 900n])
})

test('a raised reserve that a reorganisation took away is waited for while its payer takes nothing back', async () => {
  const { pay, seen, finalize, reorganise, round, sent, state, channel } = redeeming()
  seen.reserved = 1_000n
  finalize()
  pay(900n)
  seen.reserved = 1_200n
  pay(1_100n)
  await round()
  reorganise()
  state.status = { state: 'failed' }
  await round()
  expect(channel.frozen).toMatchObject([{ cumulative: 1_100n }])
  expect(sent.every((cumulative) => cumulative === 1_100n)).toBe(true)
})
