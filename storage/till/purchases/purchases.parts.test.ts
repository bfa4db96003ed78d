import { Problem } from '@hexachord/platform/http'
import { subjectToBytes32 } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { decodePaymentResponseHeader } from '@x402/fetch'
import type { Wallet } from 'ethers'
import { finalityBlocks, type Market, node, openMarket, type Shop } from './fixtures/index.ts'

// A chain is started and contracts are deployed on a machine that does other things as well.
jest.setTimeout(60_000)

let market: Market
let shop: Shop
let timeMs = () => Date.now()
/** Whether no money may be taken. */
let isShut = false

beforeAll(async () => {
  market = await openMarket()
  shop = await market.openShop(`0x${'0a'.repeat(32)}`, {
    now: () => timeMs(),
    requireOpen: async () => {
      if (isShut) throw new Problem({ status: 503, slug: 'till-closed', detail: 'another till is there' })
    },
  })
})

afterAll(() => market.close())

const nonceOf = (byte: string) => `0x${byte.repeat(32)}`
const audioUrl = () => shop.urlOf(market.track)

describe('a client of x402 that knows nothing of us', () => {
  test('buys a track: the file for the price of all its units, split on the chain', async () => {
    const { fetch: paying, wallet, sent } = await market.buyer(1_000n)
    const before = await market.earned()
    const response = await paying(audioUrl())
    const bytes = await response.arrayBuffer()
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'private, no-store'])
    expect(bytes.byteLength).toBe(Number(response.headers.get('content-length')))
    expect(bytes.byteLength).toBeGreaterThan(60_000)

    const receipt = decodePaymentResponseHeader(response.headers.get('payment-response') ?? '')
    expect(receipt).toMatchObject({ success: true, payer: wallet.address.toLowerCase(), amount: '402' })
    const mined = await market.provider.getTransactionReceipt(receipt.transaction)
    expect(mined).toMatchObject({ status: 1 })
    // What a node reckons with; see `gasOfPurchase`.
    expect(mined?.gasUsed).toBeLessThan(220_000n)
    const after = await market.earned()
    expect([after.node - before.node, after.track - before.track]).toEqual([60n, 342n])
    expect(await market.balanceOf(wallet)).toBe(598n)

    // The same payment again is the same purchase, and goes on where a download broke.
    const [header = ''] = sent
    const rest = await fetch(audioUrl(), { headers: { 'payment-signature': header, range: 'bytes=100-199' } })
    expect([rest.status, (await rest.arrayBuffer()).byteLength]).toEqual([206, 100])
    expect(await market.earned()).toEqual(after)
  })

  test('gets nothing without money, and is told why', async () => {
    const { fetch: paying } = await market.buyer(401n)
    const response = await paying(audioUrl())
    expect(response.status).toBe(402)
    expect(decodePaymentResponseHeader(response.headers.get('payment-response') ?? '')).toMatchObject({
      success: false,
      errorReason: 'insufficient_funds',
    })
    expect(await response.json()).toMatchObject({
      detail: expect.stringContaining('ERC20InsufficientBalance'),
    })
  })
})

describe('a purchase', () => {
  test('is asked for by 402 with what all of the track costs, and not of other nodes', async () => {
    const response = await fetch(audioUrl())
    const asked = JSON.parse(Buffer.from(response.headers.get('payment-required') ?? '', 'base64').toString())
    expect(response.status).toBe(402)
    expect(asked).toMatchObject({
      x402Version: 2,
      resource: { url: `https://node.example/audio/${market.track.manifest}` },
      accepts: [
        {
          ...{ scheme: 'exact', network: 'eip155:31337', amount: '402', asset: market.payments.token },
          payTo: await market.contract.getFunction('purchaseOf')(subjectToBytes32(market.subject), node),
          extra: { name: 'Local Dollar', version: '1' },
        },
      ],
    })
    const peer = await fetch(audioUrl(), { headers: { authorization: 'a peer' } })
    expect([peer.status, peer.headers.get('cache-control')]).toEqual([
      200,
      'public, max-age=29030400, immutable',
    ])
  })

  test('is neither asked for nor taken while no money may be taken here, and one that was paid before is given', async () => {
    const { wallet } = await market.buyer(2_000n)
    const asked = await market.askedAt(shop, market.track)
    const [before, after] = [
      await market.signed(wallet, asked, nonceOf('0a')),
      await market.signed(wallet, asked, nonceOf('0b')),
    ]
    expect(await market.pay(shop, market.track, before)).toBe(200)
    isShut = true
    const closed = await fetch(audioUrl())
    const answers = [
      await market.pay(shop, market.track, after),
      await market.pay(shop, market.track, before),
    ]
    isShut = false
    expect([closed.status, closed.headers.get('payment-required')]).toEqual([503, null])
    expect(answers).toEqual([503, 200])
    expect(await market.balanceOf(wallet)).toBe(2_000n - 402n)
  })

  test('of less than the floor is none: the track goes by another door', async () => {
    market.units.set(market.track.manifest, 2)
    expect((await fetch(audioUrl())).status).toBe(200)
    market.units.set(market.track.manifest, 3)
  })

  test('is refused when it was altered, is for something else, or is late', async () => {
    const { fetch: paying, sent } = await market.buyer(1_000n)
    market.units.set(market.track.manifest, 4)
    await paying(audioUrl())
    market.units.set(market.track.manifest, 3)
    const [header = ''] = sent
    const payment = JSON.parse(Buffer.from(header, 'base64').toString())
    const { authorization } = payment.payload
    const reasonFor = async (changes: object, signature = payment.payload.signature) => {
      const changed = { ...payment, payload: { authorization: { ...authorization, ...changes }, signature } }
      const again = Buffer.from(JSON.stringify(changed)).toString('base64')
      const { status, headers } = await fetch(audioUrl(), { headers: { 'payment-signature': again } })
      const answer = headers.get('payment-response')
      return status === 402 && answer !== null ? decodePaymentResponseHeader(answer).errorReason : status
    }
    const prefix = 'invalid_exact_evm_payload'
    expect(await reasonFor({})).toBe(`${prefix}_authorization_value`)
    expect(await reasonFor({ value: '402' })).toBe(`${prefix}_signature`)
    expect(await reasonFor({ to: market.artist })).toBe(`${prefix}_recipient_mismatch`)
    expect(await reasonFor({ value: '402', validAfter: '4000000000' })).toBe(
      `${prefix}_authorization_valid_after`,
    )
    expect(await reasonFor({ value: '402' }, '0x12')).toBe(`${prefix}_signature`)
    expect(await reasonFor({ value: 'much' })).toBe(400)
    timeMs = () => Date.now() + 3_600_000
    expect(await reasonFor({ value: '402' })).toBe(`${prefix}_authorization_valid_before`)
    timeMs = () => Date.now()
    for (const header of [
      'no base64 of JSON',
      Buffer.from('{"x402Version":1}').toString('base64'),
      'A'.repeat(9_000),
    ]) {
      expect((await fetch(audioUrl(), { headers: { 'payment-signature': header } })).status).toBe(400)
    }
  })

  test('is one, however often it is sent at a time', async () => {
    const { fetch: paying, sent, wallet } = await market.buyer(2_000n)
    await paying(audioUrl())
    const [header = ''] = sent
    const ask = () => fetch(audioUrl(), { headers: { 'payment-signature': header } })
    const answers = await Promise.all([ask(), ask(), ask()])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    await Promise.all(answers.map((answer) => answer.arrayBuffer()))
    expect(await market.balanceOf(wallet)).toBe(1_598n)
  })
})

/** Sends payments all at one moment. @returns how each was answered, and what the buyer has left */
async function race(wallet: Wallet, asks: readonly Parameters<Market['pay']>[]) {
  const answers = await Promise.all(asks.map((ask) => market.pay(...ask)))
  return { answers, left: await market.balanceOf(wallet) }
}

describe('one nonce', () => {
  test('does not buy two tracks, sent at one moment or after each other', async () => {
    const { track, other, askedAt, signed } = market
    const { wallet } = await market.buyer(2_000n)
    const [one, two] = [await askedAt(shop, track), await askedAt(shop, other)]
    const [forOne, forTwo] = [
      await signed(wallet, one, nonceOf('01')),
      await signed(wallet, two, nonceOf('01')),
    ]
    const { answers, left } = await race(wallet, [
      [shop, track, forOne],
      [shop, other, forTwo],
    ])
    expect([...answers].sort()).toEqual([200, 402])
    const paid = BigInt(answers[0] === 200 ? one.amount : two.amount)
    expect(left).toBe(2_000n - paid)
    // The one that was refused stays refused, and the other pays for nothing but its own track.
    const again = await race(wallet, [
      [shop, track, forOne],
      [shop, other, forTwo],
    ])
    expect(again).toEqual({ answers, left })
    const crossed = await race(wallet, [
      [shop, other, forOne],
      [shop, track, forTwo],
    ])
    expect(crossed).toEqual({ answers: [402, 402], left })
  })

  test('does not buy one track at two operators', async () => {
    const { track, askedAt, signed } = market
    const { wallet } = await market.buyer(2_000n)
    const elsewhere = await market.openShop(`0x${'0b'.repeat(32)}`, { node: `0x${'41'.repeat(20)}` })
    const [here, there] = [await askedAt(shop, track), await askedAt(elsewhere, track)]
    expect(here.payTo).not.toBe(there.payTo)
    const [forHere, forThere] = [
      await signed(wallet, here, nonceOf('02')),
      await signed(wallet, there, nonceOf('02')),
    ]
    const { answers, left } = await race(wallet, [
      [shop, track, forHere],
      [elsewhere, track, forThere],
    ])
    expect([...answers].sort()).toEqual([200, 402])
    expect(left).toBe(2_000n - 402n)
    // What pays one operator is nothing to another.
    const crossed = await race(wallet, [
      [elsewhere, track, forHere],
      [shop, track, forThere],
    ])
    expect(crossed).toEqual({ answers: [402, 402], left })
  })

  test('is used once by two gateways of one operator, which know nothing of each other and both give what it paid', async () => {
    const { track } = market
    const { wallet } = await market.buyer(2_000n)
    const twin = await market.openShop(`0x${'0c'.repeat(32)}`)
    const header = await market.signed(wallet, await market.askedAt(shop, track), nonceOf('03'))
    const asks: Parameters<Market['pay']>[] = [
      [shop, track, header],
      [twin, track, header],
    ]
    const { answers, left } = await race(wallet, asks)
    expect(answers).toContain(200)
    expect(left).toBe(2_000n - 402n)
    await market.chain.mine(finalityBlocks)
    expect(await race(wallet, asks)).toEqual({ answers: [200, 200], left })
  })
})
