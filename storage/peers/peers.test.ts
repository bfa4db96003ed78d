import {
  createApp,
  createGuardedFetch,
  finishApp,
  type GuardedFetch,
  type Listening,
  listen,
} from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { type Address, parseAddress } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import type { Domain } from '@hexachord/protocol/signing'
import { createNodeToken } from '@hexachord/protocol/tokens'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import type { CatalogueChange } from '../catalogue/index.ts'
import {
  createNodeClient,
  operatorOf,
  type PeerAddresses,
  PeerIdError,
  peerAddresses,
  peerIdFromHex,
  peerIdToHex,
  requireOperator,
} from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const domain: Domain = {
  name: 'Hexachord',
  version: '1',
  chainId: 1,
  verifyingContract: `0x${'cc'.repeat(20)}`,
}
const peerId = '12D3KooWGRUFz1CuaKhqZDTYdXsjHXLZFXuoUQwPhzYiGA9vxYQF'

const hotKey = new Wallet(Wallet.createRandom().privateKey)
const self: Address = `0x${'11'.repeat(20)}`

function operator(change: Partial<Operator> = {}): Operator {
  return {
    operator: `0x${'22'.repeat(20)}`,
    controller: `0x${'22'.repeat(20)}`,
    endpoint: 'http://127.0.0.1:1',
    peerId: peerIdToHex(peerId),
    hotKey: parseAddress(hotKey.address),
    capacityBytes: 0n,
    exiting: false,
    stakeWei: 1n,
    active: true,
    ...change,
  }
}

const toClose: (() => Promise<void>)[] = []
let fetch: GuardedFetch
beforeEach(() => {
  fetch = createGuardedFetch({ allowPrivateAddresses: true, timeoutMs: 5_000 })
  toClose.push(fetch.close)
})
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

async function serve(prepare: (app: ReturnType<typeof createApp>, origin: () => string) => void) {
  let server: Listening | undefined
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  prepare(app, () => server?.origin ?? '')
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0, graceMs: 0 })
  toClose.push(server.close)
  return server
}

describe('a request from node to node', () => {
  const known = [operator()]
  const catalogue = {
    operatorByHotKey: (key: Address) => known.find((candidate) => candidate.hotKey === key),
  }

  function node(now = Date.now) {
    return serve((app, origin) => {
      app.all('/secret/*path', (request, response, next) =>
        requireOperator({ domain, audience: origin(), catalogue, now })(request, response, next),
      )
      app.all('/secret/*path', (request, response) => {
        response.json({ operator: operatorOf(response).operator, body: request.body ?? null })
      })
    })
  }

  const client = (key = hotKey) => createNodeClient({ hotKey: key, domain, fetch, now: Date.now })

  test('is signed for its method, path and query, and says who asks', async () => {
    const { origin } = await node()
    const got = await client()(origin, '/secret/blocks?after=3&wait=0')
    expect(got.status).toBe(200)
    expect(await got.json()).toEqual({ operator: operator().operator, body: null })
    const posted = await client()(origin, '/secret/offers', { json: { a: 1 } })
    expect(await posted.json()).toMatchObject({ body: { a: 1 } })
  })

  test('is refused with 401 without a token, or with one for another request, node or time', async () => {
    const { origin } = await node()
    const token = (change: object = {}) =>
      createNodeToken(hotKey, domain, {
        audience: origin,
        method: 'GET',
        path: '/secret/a',
        expiresAt: Date.now() + 30_000,
        ...change,
      })
    const ask = async (authorization?: string) =>
      fetch(`${origin}/secret/a`, authorization === undefined ? {} : { headers: { authorization } })
    expect((await ask(await token())).status).toBe(200)
    const refused = [
      await ask(),
      await ask(await token({ path: '/secret/b' })),
      await ask(await token({ method: 'POST' })),
      await ask(await token({ audience: 'https://other.example' })),
      await ask(await token({ expiresAt: Date.now() - 60_000 })),
      await ask(await token({ expiresAt: Date.now() + 3_600_000 })),
    ]
    expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 401])
    expect(refused[0]?.headers.get('www-authenticate')).toBe('Hexachord')
    expect(await refused[0]?.json()).toMatchObject({ type: 'urn:hexachord:problem:invalid-token' })
  })

  test('is refused with 403 when its key belongs to no active operator', async () => {
    const { origin } = await node()
    const stranger = new Wallet(Wallet.createRandom().privateKey)
    expect((await client(stranger)(origin, '/secret/a')).status).toBe(403)
    const exited = new Wallet(Wallet.createRandom().privateKey)
    known.push(operator({ hotKey: parseAddress(exited.address), active: false }))
    const response = await client(exited)(origin, '/secret/a')
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ type: 'urn:hexachord:problem:not-an-operator' })
  })
})

describe('a peer id', () => {
  test('reads the same on the chain and in libp2p', () => {
    const hex = peerIdToHex(peerId)
    expect(hex).toMatch(/^0x002408011220[0-9a-f]{64}$/)
    expect(peerIdFromHex(hex)).toBe(peerId)
  })

  test('is refused when it is none', () => {
    for (const text of ['', 'no', '12D3KooW', 'https://example.org', '1'.repeat(300), 'z'.repeat(500_000)]) {
      expect(() => peerIdToHex(text)).toThrow(PeerIdError)
    }
    expect(peerIdFromHex('0x')).toBeUndefined()
    expect(peerIdFromHex('0x1234')).toBeUndefined()
  })
})

describe('the addresses of peers', () => {
  let operators: Operator[]
  let listeners: ((change: CatalogueChange) => void)[]
  const catalogue = {
    operators: () => new Map(operators.map((entry) => [entry.operator, entry])),
    onChange(listener: (change: CatalogueChange) => void) {
      listeners.push(listener)
      return () => listeners.splice(listeners.indexOf(listener), 1)
    },
  }
  beforeEach(() => {
    operators = []
    listeners = []
  })

  const announce = () => {
    for (const listener of listeners) {
      listener({ subjects: [], actions: [], operators: true, ranks: false, reorganised: false })
    }
  }

  function learn(allowPrivateAddresses = true): PeerAddresses {
    const peers = peerAddresses({
      catalogue,
      fetch,
      self,
      allowPrivateAddresses,
      logger,
      intervalMs: 20,
      retryMs: 20,
    })
    toClose.push(peers.close)
    return peers
  }

  /** A node whose status can be changed, and a promise of the second time it is asked from now on: by then what the
   * first answer said has been taken in. */
  async function node(ipfs: { peerId: string; addresses: string[] }) {
    let asked = 0
    let told = Promise.withResolvers<void>()
    const { origin } = await serve((app) => {
      app.get('/status', (_request, response) => {
        asked += 1
        if (asked >= 2) told.resolve()
        response.json({
          service: 'content-service',
          version: '0.1.0',
          operator: operator().operator,
          hotKey: operator().hotKey,
          chainId: 1,
          head: 1,
          ipfs: { ...ipfs, blocks: 0, bytes: 0 },
        })
      })
    })
    const askedTwice = () => {
      asked = 0
      told = Promise.withResolvers()
      return told.promise
    }
    return { origin, askedTwice }
  }

  test('come from the status of active operators, and only if the peer id is the registered one', async () => {
    const honest = await node({ peerId, addresses: ['/ip4/127.0.0.1/tcp/4001', 'nonsense'] })
    const other = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
    const posing = await node({ peerId, addresses: ['/ip4/127.0.0.1/tcp/6666'] })
    operators = [
      operator({ endpoint: honest.origin }),
      operator({ operator: `0x${'33'.repeat(20)}`, endpoint: posing.origin, peerId: peerIdToHex(other) }),
      operator({ operator: self, endpoint: 'http://127.0.0.1:9' }),
    ]
    const peers = learn()
    await Promise.all([honest.askedTwice(), posing.askedTwice()])
    expect(peers.peers()).toEqual([
      { peerId, addresses: ['/ip4/127.0.0.1/tcp/4001'] },
      { peerId: other, addresses: [] },
    ])
    expect(peers.allowPeer(peerId)).toBe(true)
    expect(peers.allowPeer('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp')).toBe(false)
  })

  test('are taken up when an operator comes, and forgotten when it goes', async () => {
    const peers = learn()
    expect(peers.peers()).toEqual([])
    const late = await node({ peerId, addresses: ['/ip4/127.0.0.1/tcp/4001'] })
    operators = [operator({ endpoint: late.origin })]
    announce()
    await late.askedTwice()
    expect(peers.peers()).toEqual([{ peerId, addresses: ['/ip4/127.0.0.1/tcp/4001'] }])
    operators = [operator({ endpoint: late.origin, active: false })]
    announce()
    expect(peers.peers()).toEqual([])
    expect(peers.allowPeer(peerId)).toBe(false)
  })

  test('lead into no private network from the public one', async () => {
    const sly = await node({
      peerId,
      addresses: ['/ip4/10.0.0.1/tcp/22', '/dns4/localhost/tcp/22', '/ip4/8.8.8.8/tcp/4001'],
    })
    operators = [operator({ endpoint: sly.origin })]
    const peers = learn(false)
    await sly.askedTwice()
    expect(peers.peers()).toEqual([{ peerId, addresses: ['/ip4/8.8.8.8/tcp/4001'] }])
  })
})
