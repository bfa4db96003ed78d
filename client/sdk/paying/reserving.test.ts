import type { SentReserve, SessionReport } from '@hexachord/protocol/payments'
import { expect, test } from '@jest/globals'
import { listener, mapPurseMemory, purseAt, serveOperators, unitPrice } from '../fixtures/index.ts'
import { emptyState } from './index.ts'
import { channelWith, withChannel } from './purse-state.ts'
import { reserveFor } from './reserving.ts'

const node = `0x${'ab'.repeat(20)}` as const
const hour = 600n * unitPrice

/** What is signed to be reserved for one more unit, when so much was paid of a reserve of an hour. */
async function reservedAfter(spent: bigint): Promise<bigint[]> {
  const discovery = await serveOperators([])
  const state = emptyState()
  const channel = { ...channelWith(state, node), cumulative: spent, reserved: hour }
  const purse = await purseAt(discovery, { memory: mapPurseMemory(withChannel(state, node, channel)) })
  const signed: bigint[] = []
  const till = {
    async reserve({ total }: SentReserve) {
      signed.push(total)
      return {} as SessionReport
    },
  } as Parameters<typeof reserveFor>[1]['till']
  const held = { payer: listener.address, key: listener.address, node, reserved: hour, released: 0n }
  const report = {
    session: 's',
    unitPrice,
    channel: { ...held, awaited: 0n, base: 0n, last: null, frozen: null },
  }
  const { signal } = new AbortController()
  await reserveFor(purse, {
    till,
    report: report as SessionReport,
    operator: node,
    amount: unitPrice,
    signal,
  })
  await discovery.close()
  return signed
}

test('a reserve is filled up to an hour again when three quarters of it are used, and not before', async () => {
  expect(await reservedAfter(449n * unitPrice)).toEqual([])
  expect(await reservedAfter(450n * unitPrice)).toEqual([450n * unitPrice + hour])
})
