import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import type { Address, Hash } from '@hexachord/protocol/names'
import { packLines } from '@hexachord/protocol/payments'
import { describe, expect, test } from '@jest/globals'
import { id as hashOf, hexlify } from 'ethers'
import { createRedeemer } from './redeemer.ts'
import { createTillTables, tillMigrations } from './till-tables.ts'

const address = (digits: string): Address => `0x${digits.repeat(20)}`
/** 0.01 gwei, and a millionth of a dollar where ether costs 3,000. */
const [gasPrice, weiPerUnit] = [10_000_000n, 333_333_333n]
const [unitPrice, unitsOfTrack] = [134n, 37n]

const reserve = { reserved: 200_000n, released: 0n, releasing: 0n, settled: 0n }

type Booked = { payer: Address; lines: number; amount: bigint }

/** Redeems the vouchers of listeners who heard so many tracks, each for an amount, for a chain that says what gas it takes. */
function redeeming(listeners: readonly Booked[], everyMs = 1_000) {
  const state = { gas: 0n, now: 0, sent: 0, changing: [] as Hash[], isFinal: false }
  const channels = listeners.map(({ payer, lines, amount }) => {
    const packed = Array.from({ length: lines }, (_, n) => {
      const track = hashOf(`track ${n}`) as Hash
      return { track, curator: address('00'), amount }
    })
    const voucher = {
      ...{ base: 0n, cumulative: BigInt(lines) * amount },
      ...{ packed: hexlify(packLines(packed)), signature: '0x00' },
    }
    return {
      payer,
      key: payer,
      last: voucher as typeof voucher | undefined,
      frozen: [] as (typeof voucher)[],
    }
  })
  const redeemer = createRedeemer({
    book: {
      channels: () => channels,
      freeze(payer) {
        const channel = channels.find((one) => one.payer === payer)
        if (channel) Object.assign(channel, { frozen: [channel.last], last: undefined })
      },
      fallBack: () => undefined,
      settled: () => undefined,
    },
    view: {
      termsOf: () => ({ unitPrice, nodeBps: 1_500, curatorBps: 0, version: 1 }),
      channel: () => reserve,
      finalChannel: () => reserve,
      changing: () => state.changing,
    },
    tables: createTillTables(openSqlite(':memory:', { migrations: tillMigrations })),
    sender: {
      address: address('0a'),
      enqueue: () => {
        state.sent += 1
        return undefined as never
      },
      status: () => (state.isFinal ? ({ state: 'final', hash: null, reason: null } as never) : null),
    },
    rpc: { call: async (method) => (method === 'eth_estimateGas' ? `0x${state.gas.toString(16)}` : '0x') },
    ...{ escrow: address('e5'), operator: address('0d'), everyMs, weiPerUnit },
    ...{ gasPrice: async () => gasPrice, costOf: async () => 0n, now: () => state.now },
    logger: createLogger({ service: 'test', level: 'silent' }),
  })
  async function roundAfter(ms: number) {
    state.now += ms
    await redeemer.round()
    return { sent: state.sent, frozen: channels.filter(({ frozen }) => frozen.length > 0).length }
  }
  /** Lets the frozen vouchers be settled, and their listeners pay as much again. */
  function payAgain() {
    state.isFinal = true
    for (const channel of channels) {
      if (channel.frozen.length > 0) Object.assign(channel, { last: channel.frozen[0], frozen: [] })
    }
  }
  return { state, roundAfter, payAgain }
}

const [minute, hour] = [60_000, 3_600_000]

describe('before terms change', () => {
  const track = hashOf('track 15') as Hash
  const listeners = [
    { payer: address('11'), lines: 16, amount: unitPrice * unitsOfTrack },
    { payer: address('22'), lines: 15, amount: unitPrice * unitsOfTrack },
    { payer: address('33'), lines: 16, amount: unitPrice },
  ]

  test('what was heard of the track is redeemed if it is worth its gas, and nothing else is', async () => {
    const { state, roundAfter } = redeeming(listeners, 1_000 * hour)
    expect(await roundAfter(hour)).toEqual({ sent: 0, frozen: 0 })
    state.changing = [track]
    expect(await roundAfter(hour)).toEqual({ sent: 1, frozen: 1 })
  })

  test('it is not redeemed again and again, whatever their owners announce', async () => {
    const { state, roundAfter, payAgain } = redeeming(listeners, 1_000 * hour)
    state.changing = [track]
    expect((await roundAfter(minute)).frozen).toBe(1)
    payAgain()
    state.changing = [hashOf('track 14') as Hash, track]
    // The other listener has heard the other track.
    expect((await roundAfter(hour)).frozen).toBe(1)
    payAgain()
    for (let passed = 2; passed < 6; passed += 1) expect((await roundAfter(hour)).frozen).toBe(0)
    expect((await roundAfter(hour)).frozen).toBe(1)
  })
})

describe('with gas as it is on a cheap chain', () => {
  test('an hour of listening is worth redeeming, by itself too', async () => {
    const { state, roundAfter } = redeeming([
      { payer: address('11'), lines: 16, amount: unitPrice * unitsOfTrack },
    ])
    // As measured: see the snapshots of the contracts.
    state.gas = 51_000n + 16n * 14_300n
    expect(await roundAfter(1_000)).toEqual({ sent: 1, frozen: 1 })
  })

  test('a voucher of many tracks that were hardly heard is not, and keeps its room', async () => {
    const { roundAfter } = redeeming([{ payer: address('11'), lines: 40, amount: unitPrice }])
    expect(await roundAfter(1_000)).toEqual({ sent: 0, frozen: 0 })
  })

  test('tracks that never earned cost more, which the chain knows: then it waits for its time', async () => {
    const { state, roundAfter } = redeeming([
      { payer: address('11'), lines: 16, amount: unitPrice * unitsOfTrack },
    ])
    state.gas = 2_000_000n
    expect(await roundAfter(1_000)).toEqual({ sent: 0, frozen: 1 })
    state.gas = 300_000n
    expect(await roundAfter(1_000)).toEqual({ sent: 0, frozen: 1 })
    expect(await roundAfter(30_000)).toEqual({ sent: 1, frozen: 1 })
  })

  test('who earns enough in any case does not wait for others', async () => {
    const { state, roundAfter } = redeeming([
      { payer: address('11'), lines: 16, amount: unitPrice * unitsOfTrack },
      { payer: address('22'), lines: 1, amount: 100_000n },
    ])
    state.gas = 100_000_000n
    expect(await roundAfter(1_000)).toEqual({ sent: 1, frozen: 2 })
  })
})
