import { createGuardedFetch, listen } from '@hexachord/platform/http'
import { type Address, parseAddress } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import type { Domain, Recover } from '@hexachord/protocol/signing'
import { blocksPath, createNodeToken } from '@hexachord/protocol/tokens'
import { afterEach, describe, expect, test } from '@jest/globals'
import { recoverAddress, Wallet } from 'ethers'
import { createPeerCheck, createPeerFetch } from './index.ts'

const domain: Domain = {
  ...{ name: 'Hexachord', version: '1', chainId: 1 },
  verifyingContract: `0x${'cc'.repeat(20)}`,
}
const hotKey = new Wallet(Wallet.createRandom().privateKey)
const operator = { operator: `0x${'22'.repeat(20)}`, active: true, exiting: false } as Operator
const operatorByHotKey = (key: Address) => (key === parseAddress(hotKey.address) ? operator : undefined)
const audience = 'https://node.example'

const toClose: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0)) await close()
})

describe('a peer', () => {
  test('signs requests for blocks, one signature for many of them, and nothing else', async () => {
    const seen: { url: string; authorization: string | undefined }[] = []
    const server = await listen(
      ({ url = '', headers }, response) => {
        seen.push({ url, authorization: headers.authorization })
        response.end()
      },
      { host: '127.0.0.1', port: 0, graceMs: 0 },
    )
    const plain = createGuardedFetch({ allowPrivateAddresses: true })
    toClose.push(server.close, plain.close)
    let now = Date.now()
    const fetch = createPeerFetch({ hotKey, domain, fetch: plain, now: () => now })
    for (const path of ['/ipfs/a?format=raw', '/ipfs/b', '/archives']) await fetch(`${server.origin}${path}`)
    const init = { headers: {}, signal: new AbortController().signal }
    for (const path of ['/ipfs/b', '/archives']) await fetch.whole(`${server.origin}${path}`, init)
    now += 40_000
    await fetch(`${server.origin}/ipfs/c`)
    const [a, b, other, whole, otherWhole, c] = seen.map(({ authorization }) => authorization)
    expect([a === b, other, a === whole, otherWhole]).toEqual([true, undefined, true, undefined])
    expect(a === c).toBe(false)
    const isPeer = createPeerCheck({
      ...{ domain, audience: server.origin, catalogue: { operatorByHotKey }, now: () => now },
    })
    expect(isPeer({ method: 'GET', headers: { authorization: c } })).toBe(operator)
  })

  test('is told from others by a token for all blocks, which is verified once for many requests', async () => {
    let [now, verified] = [Date.now(), 0]
    const recover: Recover = (digest, signature) => {
      verified += 1
      return parseAddress(recoverAddress(digest, signature))
    }
    const isPeer = createPeerCheck({
      domain,
      audience,
      catalogue: { operatorByHotKey },
      recover,
      now: () => now,
    })
    const ask = async (change: object = {}, signer = hotKey, method = 'GET') => {
      const request = { audience, method: 'GET', path: blocksPath, expiresAt: now + 45_000, ...change }
      const authorization = await createNodeToken(signer, domain, request)
      return { whose: isPeer({ method, headers: { authorization } }), authorization }
    }
    const { whose, authorization } = await ask()
    expect(whose).toBe(operator)
    for (let times = 0; times < 5; times++) isPeer({ method: 'GET', headers: { authorization } })
    expect(verified).toBe(1)
    const stranger = new Wallet(Wallet.createRandom().privateKey)
    const others = [
      await ask({}, stranger),
      await ask({}, hotKey, 'POST'),
      await ask({ path: '/ipfs/bafkreia' }),
      await ask({ path: '/' }),
      await ask({ audience: 'https://other.example' }),
      await ask({ expiresAt: now + 3_600_000 }),
    ]
    expect(others.map((one) => one.whose)).toEqual(others.map(() => undefined))
    expect(isPeer({ method: 'GET', headers: {} })).toBeUndefined()
    now += 120_000
    expect(isPeer({ method: 'GET', headers: { authorization } })).toBeUndefined()
  })
})
