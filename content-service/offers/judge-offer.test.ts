import { type Address, parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import { type Offer, signGrant, signOffer } from '@hexachord/protocol/offers'
import type { Operator } from '@hexachord/protocol/operators'
import type { Domain } from '@hexachord/protocol/signing'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import { judgeOffer, leaseShare, maximumPulls, type OfferFacts } from './judge-offer.ts'

const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 1,
  verifyingContract: `0x${'cc'.repeat(20)}`,
}
const now = 1_800_000_000_000
const dayMs = 86_400_000
const self: Address = `0x${'01'.repeat(20)}`
const hotKey = new Wallet(`0x${'11'.repeat(32)}`)
const author = new Wallet(`0x${'22'.repeat(32)}`)
const subject: Subject = subjectOf(parseAddress(author.address), 5n)

function operator(address: Address, change: Partial<Operator> = {}): Operator {
  return {
    operator: address,
    controller: address,
    endpoint: 'https://creator.example',
    peerId: '0x',
    hotKey: parseAddress(hotKey.address),
    capacityBytes: 0n,
    exiting: false,
    stakeWei: 100n,
    active: true,
    ...change,
  }
}

const asking = operator(`0x${'02'.repeat(20)}`)

const facts: OfferFacts = {
  now,
  domain,
  self,
  asking,
  accepted: [operator(self)],
  controller: parseAddress(author.address),
  deleted: false,
  takenDown: undefined,
  totalStakeWei: 400n,
  capacityBytes: 4_000,
  leasedBytes: 0,
  longLeasedBytes: 0,
  freeBytes: 4_000,
  pulling: 0,
}

async function offerOf(change: Partial<Offer> = {}, grantMs = 600_000): Promise<Offer> {
  const grant = await signGrant(author, domain, {
    subject,
    audience: 'https://creator.example',
    byteLimit: 10_000,
    expiresAt: now + grantMs,
  })
  return signOffer(hotKey, domain, {
    operator: asking.operator,
    to: self,
    subject,
    source: 'https://creator.example/uploads/7/blocks',
    byteLimit: 1_000,
    expiresAt: now + 600_000,
    grant,
    ...change,
  })
}

let offer: Offer
beforeAll(async () => {
  offer = await offerOf()
})

describe('an offer', () => {
  test('is taken when everything is right, to the last byte of the share', () => {
    expect(judgeOffer(offer, facts)).toBeUndefined()
    expect(judgeOffer(offer, { ...facts, freeBytes: 1_000, pulling: maximumPulls - 1 })).toBeUndefined()
  })

  test.each<[string, Partial<OfferFacts>, number, string]>([
    ['the track is for others to hold', { accepted: [operator(`0x${'03'.repeat(20)}`)] }, 409, 'not-ranked'],
    ['nobody may hold anything', { accepted: [] }, 409, 'not-ranked'],
    ['the track was deleted', { deleted: true }, 409, 'deleted'],
    ['this operator has taken the track down', { takenDown: 'a notice' }, 403, 'taken-down'],
    ['it is more than the stake allows', { totalStakeWei: 401n }, 413, 'over-share'],
    ['no stake is known', { totalStakeWei: 0n }, 413, 'over-share'],
    ['the share is used up', { leasedBytes: 1 }, 429, 'share-used'],
    ['the disk is full', { freeBytes: 999 }, 507, 'no-room'],
    ['the disk is overfull', { freeBytes: -5 }, 507, 'no-room'],
    ['too much is under way', { pulling: maximumPulls }, 429, 'busy'],
    ['the author has another controller now', { controller: self }, 403, 'not-the-author'],
    ['it is over', { now: now + 600_000 }, 403, 'invalid-offer'],
    ['it is for another node', { self: `0x${'09'.repeat(20)}` }, 403, 'invalid-offer'],
    ['the network is another', { domain: { ...domain, chainId: 2 } }, 403, 'invalid-offer'],
    ['the hot key has changed', { asking: { ...asking, hotKey: self } }, 403, 'invalid-offer'],
    [
      'the endpoint has changed',
      { asking: { ...asking, endpoint: 'https://moved.example' } },
      403,
      'foreign-source',
    ],
    ['the endpoint is none', { asking: { ...asking, endpoint: 'nowhere' } }, 403, 'foreign-source'],
  ])('is refused when %s', (_, change, status, slug) => {
    expect(judgeOffer(offer, { ...facts, ...change })).toMatchObject({ status, slug })
  })

  test('says when to come again, if coming again may help', () => {
    expect(judgeOffer(offer, { ...facts, leasedBytes: 1 })?.retryAfterSeconds).toBeGreaterThan(0)
    expect(judgeOffer(offer, { ...facts, pulling: maximumPulls })?.retryAfterSeconds).toBeGreaterThan(0)
    expect(judgeOffer(offer, { ...facts, deleted: true })?.retryAfterSeconds).toBeUndefined()
  })

  test('must come from under the very origin that is registered', async () => {
    for (const source of [
      'https://creator.example.evil.example/uploads/7/blocks',
      'http://creator.example/uploads/7/blocks',
      'https://creator.example:8443/uploads/7/blocks',
      'https://creator.example@evil.example/blocks',
    ]) {
      expect(judgeOffer(await offerOf({ source }), facts)).toMatchObject({ slug: 'foreign-source' })
    }
  })

  test('of a track that waits for its release lasts until some days after it, and no longer', async () => {
    const until = (ms: number) => offerOf({ expiresAt: now + ms, byteLimit: 500 }, Math.min(ms, 37 * dayMs))
    expect(judgeOffer(await until(37 * dayMs), facts)).toBeUndefined()
    expect(judgeOffer(await until(37 * dayMs + 1), facts)).toMatchObject({ slug: 'offer-too-long' })
    expect(judgeOffer(await offerOf({}, 38 * dayMs), facts)).toMatchObject({ slug: 'invalid-grant' })
  })

  test('of such a track has half of the share, so that others are not kept out for a month', async () => {
    const long = (byteLimit: number) => offerOf({ expiresAt: now + 8 * dayMs, byteLimit }, 8 * dayMs)
    expect(judgeOffer(await long(501), facts)).toMatchObject({ status: 413, slug: 'over-share' })
    const half = { ...facts, leasedBytes: 400, longLeasedBytes: 400 }
    expect(judgeOffer(await long(100), half)).toBeUndefined()
    expect(judgeOffer(await long(101), half)).toMatchObject({ status: 429, slug: 'long-share-used' })
    // Those that are published as soon as they can be still have the rest.
    const usual = await offerOf({ expiresAt: now + 7 * dayMs, byteLimit: 600 }, 7 * dayMs)
    expect(judgeOffer(usual, half)).toBeUndefined()
  })

  test('cannot be changed after it was signed', () => {
    expect(judgeOffer({ ...offer, byteLimit: 999 }, facts)).toMatchObject({ slug: 'invalid-offer' })
    expect(judgeOffer({ ...offer, expiresAt: offer.expiresAt + 1 }, facts)).toMatchObject({
      slug: 'invalid-offer',
    })
    expect(judgeOffer({ ...offer, grant: { ...offer.grant, byteLimit: 20_000 } }, facts)).toMatchObject({
      slug: 'not-the-author',
    })
    expect(judgeOffer({ ...offer, signature: '0x' }, facts)).toMatchObject({ slug: 'invalid-offer' })
  })
})

test('shares of all operators together never exceed the capacity, and follow the stake', () => {
  const stakes = fc.array(fc.bigInt({ min: 0n, max: 10n ** 27n }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(stakes, fc.nat({ max: 2 ** 50 }), (stakeWei, capacityBytes) => {
      const totalStakeWei = stakeWei.reduce((sum, stake) => sum + stake, 0n)
      const shares = stakeWei.map((stake) =>
        leaseShare({ stakeWei: stake }, { totalStakeWei, capacityBytes }),
      )
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(capacityBytes)
      for (const [index, share] of shares.entries()) {
        for (const [other, more] of stakeWei.entries()) {
          if (more >= (stakeWei[index] ?? 0n)) expect(shares[other]).toBeGreaterThanOrEqual(share)
        }
      }
    }),
  )
})
