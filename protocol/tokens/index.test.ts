import { describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import type { Address } from '../names/index.ts'
import type { Domain } from '../signing/index.ts'
import {
  createAppPasswordToken,
  createNodeToken,
  createToken,
  openAppPasswordToken,
  openToken,
  TokenError,
  verifyNodeToken,
  verifyToken,
} from './index.ts'

const wallet = new Wallet(`0x${'11'.repeat(32)}`)
const account = wallet.address.toLowerCase() as Address
const author: Address = `0x${'a1'.repeat(20)}`
const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 31337,
  verifyingContract: '0x00000000000000000000000000000000000000aa',
}
const audience = 'http://node.example:4600'
const now = 1_700_000_000_000
const inAnHour = now + 3_600_000

describe("a writer's token", () => {
  test('names the account that signed it', async () => {
    const header = await createToken(wallet, domain, { audience, expiresAt: inAnHour })
    expect(verifyToken(header, { domain, audience, now })).toBe(account)
  })

  test.each([
    ['missing', undefined, /missing/],
    ['of another scheme', 'Bearer abc', /missing/],
    ['not base64url of JSON', 'Hexachord %%%', /base64url/],
    ['not an object of ours', `Hexachord ${btoa('{}')}`, /malformed/],
    ['huge', `Hexachord ${'a'.repeat(7000)}`, /too long/],
  ])('is refused when it is %s', (_, header, message) => {
    expect(() => verifyToken(header, { domain, audience, now })).toThrow(message)
  })

  test('is refused for another node, another network, after its time, and for too long a life', async () => {
    const header = await createToken(wallet, domain, { audience, expiresAt: inAnHour })
    const other: Domain = { ...domain, verifyingContract: '0x00000000000000000000000000000000000000bb' }
    expect(() => verifyToken(header, { domain, audience: 'http://other', now })).toThrow(/is for/)
    expect(() => verifyToken(header, { domain: other, audience, now })).toThrow(/not signed/)
    expect(() => verifyToken(header, { domain, audience, now: inAnHour + 30_001 })).toThrow(/expired/)
    const long = await createToken(wallet, domain, { audience, expiresAt: now + 2 * 3_600_000 })
    expect(() => verifyToken(long, { domain, audience, now })).toThrow(/too long/)
  })

  test('is refused when another account is written into it', async () => {
    const header = await createToken(wallet, domain, { audience, expiresAt: inAnHour })
    const token = JSON.parse(atob(header.slice(10).replaceAll('-', '+').replaceAll('_', '/')))
    const forged = `Hexachord ${btoa(JSON.stringify({ ...token, account: `0x${'22'.repeat(20)}` }))}`
    expect(() => verifyToken(forged, { domain, audience, now })).toThrow(TokenError)
  })

  test('may speak for an author whom its signer controls, and then says both, to those who know who controls whom', async () => {
    const asked = { account: author, audience, expiresAt: inAnHour }
    const header = await createToken(wallet, domain, asked)
    expect(openToken(header, { domain, audience, now })).toEqual({ account: author, signer: account })
    expect(() => verifyToken(header, { domain, audience, now })).toThrow(/not signed by its account/)
    const own = await createToken(wallet, domain, { audience, expiresAt: inAnHour })
    expect(openToken(own, { domain, audience, now })).toEqual({ account, signer: account })
    expect(await createToken(wallet, domain, { ...asked, account })).toBe(own)
  })
})

describe('a token between nodes', () => {
  const request = { audience, method: 'GET', path: '/uploads/1/blocks?after=3' }

  test('opens just the request for which it was signed', async () => {
    const header = await createNodeToken(wallet, domain, { ...request, expiresAt: now + 30_000 })
    expect(verifyNodeToken(header, { ...request, domain, now })).toBe(account)
    expect(() => verifyNodeToken(header, { ...request, method: 'POST', domain, now })).toThrow(
      /another request/,
    )
    expect(() => verifyNodeToken(header, { ...request, path: '/uploads/2', domain, now })).toThrow(
      /another request/,
    )
  })

  test("lives a minute at most, and is no writer's token", async () => {
    const long = await createNodeToken(wallet, domain, { ...request, expiresAt: now + 200_000 })
    expect(() => verifyNodeToken(long, { ...request, domain, now })).toThrow(/too long/)
    const header = await createNodeToken(wallet, domain, { ...request, expiresAt: now + 30_000 })
    expect(() => verifyToken(header, { domain, audience, now })).toThrow(/malformed/)
  })
})

describe('a token that asks for an app password', () => {
  const nonce = `0x${'0e'.repeat(32)}` as const
  const inAMinute = now + 60_000
  const asked = { audience, device: 'Küche № 1 🎧', nonce, expiresAt: inAMinute }

  test('names account, signer, device and nonce', async () => {
    const header = await createAppPasswordToken(wallet, domain, asked)
    const { device, expiresAt } = asked
    expect(header).toMatch(/^Hexachord [\w-]+$/)
    expect(openAppPasswordToken(header, { domain, audience, now })).toEqual({
      ...{ account, signer: account, device, nonce, expiresAt },
    })
  })

  test('may speak for an author whom its signer controls', async () => {
    const header = await createAppPasswordToken(wallet, domain, { ...asked, account: author })
    expect(openAppPasswordToken(header, { domain, audience, now })).toMatchObject({
      ...{ account: author, signer: account },
    })
  })

  test('is no other token, and no other token is one', async () => {
    const header = await createAppPasswordToken(wallet, domain, asked)
    expect(() => verifyToken(header, { domain, audience, now })).toThrow(/malformed/)
    const writer = await createToken(wallet, domain, { audience, expiresAt: inAMinute })
    expect(() => openAppPasswordToken(writer, { domain, audience, now })).toThrow(/malformed/)
  })

  test.each([
    ['for another provider', { audience: 'https://other.example' }, /is for/],
    ['that lives too long', { expiresAt: now + 700_000 }, /too long/],
    ['that has expired', { expiresAt: now - 60_000 }, /expired/],
    ['without a device', { device: '' }, /malformed: device/],
    ['with a line end in its device', { device: 'a\nb' }, /malformed: device/],
  ])('is refused %s', async (_, change, message) => {
    const header = await createAppPasswordToken(wallet, domain, { ...asked, ...change })
    expect(() => openAppPasswordToken(header, { domain, audience, now })).toThrow(message)
  })
})
