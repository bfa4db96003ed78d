import type { SentReserve, SessionReport } from '@hexachord/protocol/payments'
import { expect, test } from '@jest/globals'
import { listener, mapPurseMemory, purseAt, serveOperators, unitPrice } from '../fixtures/index.ts'
import { type EscrowReader, emptyState } from './index.ts'
import { channelWith, withChannel } from './purse-state.ts'
import { reserveFor } from './reserving.ts'

const node = `0x${'ab'.repeat(20)}` as const
const hour = 600n * unitPrice

/** What is signed to be reserved for one more unit, when so much was paid of a reserve of an hour. */
async function reservedAfter(
  spent: bigint,
  { released = 0n, onChain }: { released?: bigint; onChain?: bigint } = {},
): Promise<bigint[]> {
  const discovery = await serveOperators([])
  const state = emptyState()
  const channel = { ...channelWith(state, node), cumulative: spent, reserved: hour }
  const chain = { ...{ reserved: hour, settled: 0n, releasing: 0n, readyAt: 0 }, released: onChain ?? 0n }
  const reader = { channel: async () => chain, balanceOf: async () => 10n * hour } as unknown as EscrowReader
  const purse = await purseAt(discovery, {
    memory: mapPurseMemory(withChannel(state, node, channel)),
    ...(onChain === undefined ? {} : { reader }),
  })
  const signed: bigint[] = []
  const till = {
    async reserve({ total }: SentReserve) {
      signed.push(total)
      return {} as SessionReport
    },
  } as Parameters<typeof reserveFor>[1]['till']
  const held = { payer: listener.address, key: listener.address, node, reserved: hour, released }
  const report = {
    session: 's',
    unitPrice,
    channel: { ...held, awaited: 0n, base: 0n, last: null, frozen: null },
  }
  const { signal } = new AbortController()
  try {
    await reserveFor(purse, {
      till,
      report: report as SessionReport,
      operator: node,
      amount: unitPrice,
      signal,
    })
  } finally {
    await discovery.close()
  }
  return signed
}

test('a reserve is filled up to an hour again when three quarters of it are used, and not before', async () => {
  expect(await reservedAfter(449n * unitPrice)).toEqual([])
  expect(await reservedAfter(450n * unitPrice)).toEqual([450n * unitPrice + hour])
})

test('what was released elsewhere is asked of the chain, and reserved anew', async () => {
  expect(await reservedAfter(0n, { released: hour, onChain: hour })).toEqual([2n * hour])
  // Where it is enough for now, but not for long.
  const most = hour - 10n * unitPrice
  expect(await reservedAfter(0n, { released: most, onChain: most })).toEqual([most + hour])
})

test('a node that says more was released than anybody knows of is promised no more, and gets no voucher', async () => {
  const refusal = { name: 'PaymentNeeded', lack: 'balance', reserved: 0n }
  await expect(reservedAfter(0n, { released: hour })).rejects.toMatchObject(refusal)
  await expect(reservedAfter(0n, { released: hour, onChain: 0n })).rejects.toMatchObject(refusal)
  await expect(reservedAfter(449n * unitPrice, { released: hour, onChain: 0n })).rejects.toMatchObject(
    refusal,
  )
})
