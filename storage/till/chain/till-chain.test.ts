import { createApp, finishApp, listen } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { type Address, type Hash, parseAddress } from '@hexachord/protocol/names'
import { packLines, termsDelaySeconds, tillOfferSchema } from '@hexachord/protocol/payments'
import { type Domain, signerOf } from '@hexachord/protocol/signing'
import { afterAll, describe, expect, test } from '@jest/globals'
import { hexlify, Wallet } from 'ethers'
import fc from 'fast-check'
import { createOfferSource, offerRoutes } from './offer-routes.ts'
import { termsAfter, termsAt } from './payment-rules.ts'
import { batchesOf, gasOf, gasOfClaim, nodeShareOf } from './worth.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const operator: Address = '0x00000000000000000000000000000000000000aa'
const track: Hash = `0x${'12'.repeat(32)}`
const closing: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closing) await close()
})

describe('vouchers', () => {
  const claim = fc.integer({ min: 1, max: 64 }).map((lines) => ({ lines: `0x${'00'.repeat(64 * lines)}` }))
  const groups = fc.array(fc.array(claim, { minLength: 1, maxLength: 3 }), { maxLength: 40 })

  test('go into transactions in their order, those of a channel together, each within its bounds', () => {
    fc.assert(
      fc.property(groups, fc.integer({ min: 1, max: 20 }), (all, most) => {
        const limits = { gas: 6_000_000n, claims: most }
        const batches = batchesOf(all, limits)
        expect(batches.flat()).toEqual(all)
        for (const batch of batches) {
          if (batch.length === 1) continue
          expect(batch.flat().length).toBeLessThanOrEqual(most)
          expect(gasOf(batch.flat()) <= limits.gas).toBe(true)
        }
      }),
    )
  })

  test('earn the node its share of each line, rounded down, and nothing of a track that nobody knows', () => {
    const curator: Address = '0x0000000000000000000000000000000000000000'
    const lines = hexlify(
      packLines([
        { track, curator, amount: 133n },
        { track: `0x${'34'.repeat(32)}`, curator, amount: 1_000n },
      ]),
    )
    const termsOf = (id: Hash) => (id === track ? { nodeBps: 1_500, curatorBps: 0 } : undefined)
    expect(nodeShareOf({ lines }, termsOf)).toBe(19n)
    expect(gasOfClaim({ lines })).toBeGreaterThan(60_000n)
  })
})

describe('terms', () => {
  const terms = (version: number) => ({ version, unitPrice: BigInt(version), nodeBps: 500, curatorBps: 0 })
  const set = (version: number, at: number) =>
    ({ type: 'termsSet', track, effectiveAt: at, terms: terms(version) }) as const

  test('that wait are replaced or dropped until their week is over, and stay after it', () => {
    const first = termsAfter(undefined, set(1, 100), 100)
    const changed = termsAfter(first, set(2, 200 + termsDelaySeconds), 200)
    expect(termsAt(changed, 199 + termsDelaySeconds).version).toBe(1)
    expect(termsAt(changed, 200 + termsDelaySeconds).version).toBe(2)
    const dropped = termsAfter(changed, { type: 'termsCancelled', track, version: 2 }, 300)
    expect(termsAt(dropped, Number.MAX_SAFE_INTEGER).version).toBe(1)
    const again = termsAfter(changed, set(3, 2_000_000 + termsDelaySeconds), 2_000_000)
    expect([termsAt(again, 2_000_001).version, termsAt(again, 9e9).version]).toEqual([2, 3])
  })
})

describe('a till', () => {
  const hotKey = new Wallet(`0x${'11'.repeat(32)}`)
  const domain: Domain = { name: 'Hexachord', version: '1', chainId: 31337, verifyingContract: operator }

  async function serve() {
    let now = 1_000_000_000_000
    const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
    const server = await listen((request, response) => handler(request, response), {
      ...{ host: '127.0.0.1', port: 0, graceMs: 0 },
    })
    closing.push(server.close)
    const endpoint = server.origin
    const offers = createOfferSource({
      ...{ hotKey, domain, operator, endpoint, leastNodeBps: 700, previewUnits: 5, now: () => now },
    })
    app.use(offerRoutes(offers))
    const handler = finishApp(app)
    const pass = (ms: number) => {
      now += ms
    }
    return { origin: server.origin, pass }
  }

  test('signs what it asks for, and signs it anew before it ends', async () => {
    const { origin, pass } = await serve()
    const read = async () =>
      tillOfferSchema.parse(await (await globalThis.fetch(`${origin}/pay/offer`)).json())
    const { signature, escrow: _, chainId: __, ...offer } = await read()
    expect(offer).toMatchObject({ operator, endpoint: origin, leastNodeBps: 700, previewUnits: 5 })
    expect(signerOf(domain, 'TillOffer', offer, signature)).toBe(parseAddress(hotKey.address))
    expect((await read()).expiresAt).toBe(offer.expiresAt)
    pass(5 * 3_600_000)
    expect((await read()).expiresAt).toBeGreaterThan(offer.expiresAt)
  })
})
