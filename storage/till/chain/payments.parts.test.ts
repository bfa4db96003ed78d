import { createChainReader } from '@hexachord/platform/chain'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { eventually } from '@hexachord/platform/testing'
import { type Address, parseAddress, subjectOf } from '@hexachord/protocol/names'
import { termsDelaySeconds } from '@hexachord/protocol/payments'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { createBook } from '../book/index.ts'
import { type PaidChain, signVoucher, startPaidChain } from './fixtures/index.ts'
import { type FollowedPayments, followPayments } from './follow-payments.ts'
import { paymentsMigrations } from './payments-store.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const node = parseAddress('0x00000000000000000000000000000000000000aa')
const otherNode = parseAddress('0x00000000000000000000000000000000000000bb')
const soon = () => AbortSignal.timeout(10_000)
const memory = () => openSqlite(':memory:', { migrations: paymentsMigrations })

let paid: PaidChain
beforeAll(async () => {
  paid = await startPaidChain()
}, 60_000)
afterAll(() => paid.close())

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

function follow({ database = memory(), now = Date.now, rpcUrl = paid.chain.rpcUrl } = {}): FollowedPayments {
  const reader = createChainReader({ rpcUrls: [rpcUrl] })
  const { signal } = new AbortController()
  const { network } = paid.chain
  const view = followPayments({
    ...{ database, reader, network, operator: node, now, signal, logger, pollMs: 20 },
  })
  opened.push(() => reader.close(), view.close)
  return view
}

describe('what a till knows of the chain', () => {
  test('is a channel as the escrow has it, through reserve, release and their end, and nobody else’s', async () => {
    const view = follow()
    const wallet = await paid.account(10_000n)
    const payer = parseAddress(wallet.address)
    const changed: Address[] = []
    view.onChange(({ channels }) => changed.push(...channels.map((channel) => channel.payer)))
    await paid.call(wallet, 'escrow', 'reserve', [
      { node, total: 5_000n },
      { node: otherNode, total: 700n },
    ])
    await paid.call(wallet, 'escrow', 'initiateRelease', payer, node, 2_000n)
    await view.caughtUp(soon())
    expect(view.channel(payer, payer)).toEqual({
      ...{ reserved: 5_000n, released: 0n, releasing: 2_000n, settled: 0n },
    })
    expect(changed).toContain(payer)
    await paid.later(61)
    await paid.call(wallet, 'escrow', 'finalizeRelease', payer, node)
    await view.caughtUp(soon())
    expect(view.channel(payer, payer)).toEqual({
      ...{ reserved: 5_000n, released: 2_000n, releasing: 0n, settled: 0n },
    })
    expect(view.channel(payer, node).reserved).toBe(0n)
  })

  test('is terms in force: a change waits for its week, and one that is cancelled never comes', async () => {
    let skewMs = 0
    const view = follow({ now: () => Date.now() + skewMs })
    const artist = await paid.account()
    const track = await paid.setTerms(artist, 1n, { unitPrice: 134n })
    await paid.setTerms(artist, 1n, { unitPrice: 200n, nodeBps: 1_000 })
    await view.caughtUp(soon())
    expect(view.termsOf(track)).toEqual({ unitPrice: 134n, nodeBps: 1_500, curatorBps: 300, version: 1 })
    skewMs = (termsDelaySeconds + 600) * 1_000
    expect(view.termsOf(track)).toEqual({ unitPrice: 200n, nodeBps: 1_000, curatorBps: 300, version: 2 })
    await paid.call(artist, 'tracks', 'cancelChange', track)
    await view.caughtUp(soon())
    expect(view.termsOf(track)?.version).toBe(1)
    expect(view.termsOf(`0x${'12'.repeat(32)}`)).toBeUndefined()
    const other = await paid.setTerms(artist, 2n, {})
    await view.caughtUp(soon())
    expect(view.tracks(undefined, 9)).toEqual([track, other])
    expect([view.tracks(undefined, 1), view.tracks(track, 9), view.tracks(other, 9)]).toEqual([
      [track],
      [other],
      [],
    ])
  })

  test('loses a reserve that a reorganisation takes away', async () => {
    const view = follow()
    const wallet = await paid.account(10_000n)
    const payer = parseAddress(wallet.address)
    await paid.call(wallet, 'escrow', 'reserve', [{ node, total: 1_000n }])
    await view.caughtUp(soon())
    await paid.call(wallet, 'escrow', 'reserve', [{ node, total: 5_000n }])
    await view.caughtUp(soon())
    expect(view.channel(payer, payer).reserved).toBe(5_000n)
    await paid.chain.reorganise(1)
    await eventually(() => expect(view.channel(payer, payer).reserved).toBe(1_000n))
  })

  test('has a reserve for sure once that is final: what this covers is redeemed whatever a reorganisation takes', async () => {
    const view = follow()
    const artist = await paid.account()
    const subject = subjectOf(parseAddress(artist.address), 3n)
    const track = await paid.setTerms(artist, 3n, {})
    const wallet = await paid.account(10_000n)
    const payer = parseAddress(wallet.address)
    await paid.call(wallet, 'escrow', 'reserve', [{ node, total: 1_000n }])
    await view.caughtUp(soon())
    expect(view.finalChannel(payer, payer).reserved).toBe(0n)
    await paid.chain.mine(paid.chain.network.finalityBlocks)
    await eventually(() => expect(view.finalChannel(payer, payer).reserved).toBe(1_000n))
    await paid.call(wallet, 'escrow', 'reserve', [{ node, total: 1_100n }])
    await view.caughtUp(soon())
    expect(view.channel(payer, payer).reserved).toBe(1_100n)
    expect(view.finalChannel(payer, payer).reserved).toBe(1_000n)
    const book = createBook({
      ...{ view, leastNodeBps: 0, now: Date.now, limits: { sessions: 9, sessionsOfChannel: 9 } },
      ...{ mostChannels: 9, write: () => undefined },
    })
    const session = book.open({
      ...{ token: 'token', opening: '0x01', payer, key: payer, subject, curator: node },
      ...{ manifest: 'bafy', units: 9, expiresAt: Date.now() + 3_600_000 },
    })
    for (const amount of [1_000n, 1_100n]) {
      const lines = [{ track, curator: node, amount }]
      book.accept(session, await signVoucher(paid.domain, wallet, { payer, node, base: 0n, lines }), payer)
    }
    await paid.chain.reorganise(1)
    await eventually(() => expect(view.channel(payer, payer).reserved).toBe(1_000n))
    expect(view.finalChannel(payer, payer).reserved).toBe(1_000n)
    const voucher = book.freeze(payer, payer)
    expect(voucher?.cumulative).toBe(1_000n)
  })

  test('goes on after a restart where its database ends, and stays as it was while the chain is away', async () => {
    const database = memory()
    const first = follow({ database })
    const wallet = await paid.account(10_000n)
    const payer = parseAddress(wallet.address)
    await paid.call(wallet, 'escrow', 'reserve', [{ node, total: 1_000n }])
    await first.caughtUp(soon())
    await first.close()
    await paid.call(wallet, 'escrow', 'reserve', [{ node, total: 3_000n }])
    const away = follow({ database, rpcUrl: 'http://127.0.0.1:1' })
    expect(away.channel(payer, payer).reserved).toBe(1_000n)
    await away.close()
    const again = follow({ database })
    await again.caughtUp(soon())
    expect(again.channel(payer, payer).reserved).toBe(3_000n)
    expect(again.finalChannel(payer, payer).reserved).toBe(0n)
    await again.close()
    // What is not final is known after a restart, too.
    expect(follow({ database }).finalChannel(payer, payer).reserved).toBe(0n)
    expect(storedBlocks(database)).toBeLessThanOrEqual(paid.chain.network.finalityBlocks + 1)
  })
})

function storedBlocks(database: Sqlite): number {
  return database.get<{ count: number }>('SELECT count(*) AS count FROM payments_block')?.count ?? 0
}
