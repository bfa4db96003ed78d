import { createApp, finishApp, type Listening, listen, Problem } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { followKey, type SubjectState } from '@hexachord/protocol/actions'
import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { encodeManifest, encodeRendition, type LoadedTrack, loadTrack } from '@hexachord/protocol/manifests'
import { type Address, parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import {
  encryptSegment,
  type KeptSecret,
  openSecret,
  sealSecret,
  segmentKey,
  signGate,
} from '@hexachord/protocol/premium'
import type { Domain } from '@hexachord/protocol/signing'
import { createToken } from '@hexachord/protocol/tokens'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { AbiCoder, Wallet } from 'ethers'
import { createIdentify } from '../peers/index.ts'
import { createSecretStore, premiumMigrations, premiumRoutes } from './index.ts'

const domain: Domain = {
  ...{ name: 'Hexachord', version: '1', chainId: 31_337 },
  verifyingContract: `0x${'c'.repeat(40)}`,
}
const secret = new Uint8Array(32).fill(7)
const salt = `0x${'5a'.repeat(16)}`
const random = (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes)
const [self, other, stranger] = ['a', 'b', 'd'].map((digit): Address => `0x${digit.repeat(40)}`) as [
  Address,
  Address,
  Address,
]
const artist = new Wallet(`0x${'11'.repeat(32)}`)
const listener = new Wallet(`0x${'22'.repeat(32)}`)
const nodeKey = new Wallet(`0x${'33'.repeat(32)}`)
const peerKey = new Wallet(`0x${'44'.repeat(32)}`)
const addressOf = (wallet: Wallet) => parseAddress(wallet.address)
const subject = subjectOf(addressOf(artist), 5n)
const ticksOfUnit = 288_000

/** Of all tracks here. */
const blocks = new Map<string, Uint8Array>()
let server: Listening
let track: LoadedTrack
let isPublished: boolean
let controller: Wallet
/** Another manifest of the same sound, of nobody's track. */
let forged: LoadedTrack
let price: bigint | undefined
let charged: [session: string | undefined, unit: number | undefined][]
let entries: Map<string, unknown>
/** Of authors whose keys were rotated. */
let controllers: Map<Address, Address>
let tokenBalance: () => Promise<string>
let atOthers: KeptSecret[]
let asked: number
let now: number
let blocksAway: boolean
let peer: { operator: Address; hotKey: Address } | undefined
const secrets = createSecretStore(openSqlite(':memory:', { migrations: premiumMigrations }))

beforeEach(async () => {
  track = await aTrack(ticksOfFour, [self, other])
  forged = await aTrack([1, 1, 1, 1], [self, other])
  isPublished = true
  controller = artist
  blocksAway = false
  price = 100n
  charged = []
  entries = new Map()
  controllers = new Map()
  tokenBalance = async () => AbiCoder.defaultAbiCoder().encode(['uint256'], [0])
  atOthers = []
  asked = 0
  now = Date.now()
  peer = { operator: other, hotKey: addressOf(peerKey) }
  secrets.remove(subject)
  const logger = createLogger({ service: 'test', level: 'silent' })
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  // Not known before the server listens.
  const audience = () => server.origin
  app.use(
    premiumRoutes({
      ...{ self, secrets, privateKey: nodeKey.privateKey, now: () => now, domain },
      catalogue: {
        entry: (key) => entries.get(key) as never,
        identity: (author) =>
          ({
            controller:
              controllers.get(author) ?? (author === addressOf(artist) ? addressOf(controller) : author),
          }) as never,
        subject: (asked) => (isPublished && asked === subject ? stateOf(track) : undefined),
        replacedAt: () => undefined,
      },
      reader: { call: () => tokenBalance() },
      loadTrack: async (manifest) => (manifest === forged.cid ? forged : track),
      async blockOf(_, cid) {
        const block = blocks.get(cid)
        if (block === undefined || blocksAway) throw new Problem({ status: 502, detail: 'nobody gives it' })
        return block
      },
      async askOthers() {
        asked += 1
        return atOthers
      },
      priceOf: () => price,
      async sell({ session }, { unit }): Promise<Record<string, string>> {
        if (price === undefined) return {}
        if (session !== 'paid') throw new Problem({ status: 402, slug: 'payment-required', detail: 'pay' })
        charged.push([session, unit])
        return { 'PAYMENT-RESPONSE': 'paid' }
      },
      identify: (request) => createIdentify({ domain, audience: audience(), now: Date.now })(request),
      requireOperator(_, response, next) {
        response.locals.operator = peer
        next()
      },
    }),
  )
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
})
afterEach(() => server.close())

function stateOf({ cid }: LoadedTrack): SubjectState {
  return { kind: 'track', deleted: false, author: addressOf(artist), body: { manifest: cid } } as never
}

/** A track of four segments, the first of them in the clear, that is all but sound.
 * @param keyHolders none: all of it is in the clear */
async function aTrack(
  ticks: readonly number[],
  keyHolders?: Address[],
  by: Uint8Array = secret,
): Promise<LoadedTrack> {
  const store = async (bytes: Uint8Array, codec: 'raw' | 'dag-json') => {
    const cid = await cidOf(bytes, codec)
    blocks.set(cid, bytes)
    return linkTo(cid)
  }
  const init = await store(new Uint8Array([9]), 'raw')
  const segments = ticks.map(async (count, n): Promise<[number, number, typeof init]> => {
    const clear = new TextEncoder().encode(`size${n === 0 ? 'styp' : 'moof'}${n}`)
    const isHidden = keyHolders !== undefined && n > 0
    const bytes = isHidden ? await encryptSegment(clear, segmentKey(by, salt, n)) : clear
    return [count, bytes.length, await store(bytes, 'raw')]
  })
  const rendition = encodeRendition({
    ...{ v: 1, kind: 'rendition', codec: 'mp4a.40.2', container: 'fmp4', channels: 2 },
    ...{ sampleRateHz: 48_000, averageBandwidth: 96_000, bandwidth: 96_000, timescale: 48_000 },
    ...(keyHolders && { encryption: { method: 'AES-128', salt, clearSegments: 1 } }),
    init: { data: init, byteLength: 1 },
    segments: await Promise.all(segments),
  })
  const durationMs = Math.max(1, Math.round(ticks.reduce((sum, count) => sum + count, 0) / 48))
  const renditions = [await store(rendition, 'dag-json')]
  const manifest = encodeManifest({
    v: 1,
    kind: 'track',
    durationMs,
    renditions,
    ...(keyHolders && { keyHolders }),
  })
  const { '/': cid } = await store(manifest, 'dag-json')
  return loadTrack(cid, async (name) => blocks.get(name) ?? new Uint8Array())
}

const ticksOfFour = [ticksOfUnit, ticksOfUnit, ticksOfUnit, ticksOfUnit]
const otherSecret = new Uint8Array(32).fill(8)

const sealedToNode = async (
  gate: KeptSecret['gate'] = null,
  { by = artist, atMs = now, of = secret }: { by?: Wallet; atMs?: number; of?: Uint8Array } = {},
): Promise<KeptSecret> => ({
  sealed: sealSecret(of, { subject, publicKey: nodeKey.signingKey.publicKey }, random),
  gate,
  proof: await signGate(by, domain, { subject, gate, atMs }),
})
const tokenOf = (account: Wallet) =>
  createToken(account, domain, { audience: server.origin, expiresAt: Date.now() + 60_000 })

async function put(body: unknown, account = artist, name: string = subject) {
  const headers = { authorization: await tokenOf(account), 'content-type': 'application/json' }
  const init = { method: 'PUT', headers, body: JSON.stringify(body) }
  return outcome(await fetch(`${server.origin}/premium/${name}`, init))
}

async function key(
  segment: number | string,
  {
    session = 'paid',
    manifest = track.cid,
    account,
  }: { session?: string; manifest?: string; account?: Wallet } = {},
) {
  const headers = new Headers(account === undefined ? [] : [['authorization', await tokenOf(account)]])
  const query = session === '' ? '' : `?s=${session}`
  return fetch(`${server.origin}/premium/${subject}/keys/${manifest}/0/${segment}${query}`, { headers })
}

async function outcome(response: Response): Promise<[status: number, problem?: string]> {
  if (response.ok) return [response.status]
  const { type } = (await response.json()) as { type: string }
  return [response.status, type.split(':').at(-1) ?? '']
}

const refusal = async (...args: Parameters<typeof key>) => outcome(await key(...args))

describe('a key holder', () => {
  test('gives the key of a segment that is paid for, and charges the unit of its time', async () => {
    expect(await put(await sealedToNode())).toEqual([204])
    for (const segment of [1, 2, 3]) {
      const response = await key(segment)
      expect(response.headers.get('cache-control')).toBe('no-store')
      const bytes = new Uint8Array(await response.arrayBuffer())
      expect(bytes).toEqual(segmentKey(secret, salt, segment).key)
    }
    expect(charged).toEqual([
      ['paid', 1],
      ['paid', 2],
      ['paid', 3],
    ])
  })

  test('gives none that is not paid for', async () => {
    await put(await sealedToNode())
    expect(await refusal(2, { session: 'broke' })).toEqual([402, 'payment-required'])
    expect(await refusal(2, { session: '' })).toEqual([402, 'payment-required'])
  })

  test('gives none before the artist has set a price or a gate', async () => {
    await put(await sealedToNode())
    for (price of [undefined, 0n]) expect(await refusal(2)).toEqual([403, 'no-price'])
  })

  test('gives none by a manifest that is not the track’s: it could put all of its time into one unit', async () => {
    await put(await sealedToNode())
    expect(await refusal(2, { manifest: forged.cid })).toEqual([404, 'not-its-manifest'])
    expect(charged).toEqual([])
  })

  test.each(['0', '4', '-1', '1e0', 'x', '99999'])('has no key %s', async (segment) => {
    await put(await sealedToNode())
    expect(await refusal(segment)).toEqual([404, 'no-such-key'])
  })

  test('takes a secret from the artist alone, and only one that was sealed to it for this track', async () => {
    expect(await put(await sealedToNode(), listener)).toEqual([403, 'not-the-author'])
    const elsewhere = sealSecret(secret, { subject, publicKey: peerKey.signingKey.publicKey }, random)
    const signed = await sealedToNode()
    expect(await put({ ...signed, sealed: elsewhere })).toEqual([400, 'invalid-secret'])
    const sixth = subjectOf(addressOf(artist), 6n)
    const proof = await signGate(artist, domain, { subject: sixth, gate: null, atMs: now })
    expect(await put({ ...signed, proof })).toEqual([400, 'invalid-gate'])
    const forSixth = { subject: sixth, publicKey: nodeKey.signingKey.publicKey }
    const sealed = sealSecret(secret, forSixth, random)
    expect(await put({ ...signed, sealed })).toEqual([400, 'invalid-secret'])
    expect((await put({ sealed: '0x', gate: null }))[0]).toBe(400)
    expect((await put(await sealedToNode(), artist, 'nobody'))[1]).toBe('malformed-subject')
    expect(secrets.get(subject)).toBeUndefined()
  })

  test('takes no secret of what is not published, not premium, or opened by others alone', async () => {
    isPublished = false
    expect(await put(await sealedToNode())).toEqual([404, 'unknown-track'])
    isPublished = true
    track = await aTrack(ticksOfFour)
    expect(await put(await sealedToNode())).toEqual([404, 'not-premium'])
    track = await aTrack(ticksOfFour, [other])
    expect(await put(await sealedToNode())).toEqual([404, 'not-a-key-holder'])
    const fresh = Wallet.createRandom()
    controller = new Wallet(fresh.privateKey)
    expect(await put(await sealedToNode(), controller, subjectOf(addressOf(controller), 9n))).toEqual([
      404,
      'unknown-track',
    ])
    expect(secrets.get(subject)).toBeUndefined()
  })

  test('takes no secret that does not open the track, nor one that it cannot try', async () => {
    const wrong = () => sealedToNode(null, { of: otherSecret })
    expect(await put(await wrong())).toEqual([409, 'wrong-secret'])
    blocksAway = true
    expect((await put(await sealedToNode()))[0]).toBe(502)
    expect(secrets.get(subject)).toBeUndefined()
    blocksAway = false
    expect(await put(await sealedToNode())).toEqual([204])
    // Whose key was rotated has another secret for the same track.
    controller = listener
    expect(await put(await sealedToNode(null, { by: listener, of: otherSecret }), listener)).toEqual([
      409,
      'wrong-secret',
    ])
    expect((await key(2)).status).toBe(200)
  })

  test('takes the secret of music that has taken the place of other music', async () => {
    await put(await sealedToNode())
    track = await aTrack(ticksOfFour, [self, other], otherSecret)
    expect(await put(await sealedToNode(null, { of: otherSecret }))).toEqual([204])
    const bytes = new Uint8Array(await (await key(1)).arrayBuffer())
    expect(bytes).toEqual(segmentKey(otherSecret, salt, 1).key)
  })

  test('that has no secret gets it from another one, once', async () => {
    expect(await refusal(2)).toEqual([503, 'secret-unknown'])
    atOthers = [await sealedToNode()]
    expect((await key(2)).status).toBe(200)
    atOthers = []
    expect((await key(3)).status).toBe(200)
  })

  test('whose hot key is another now gets the secret anew, and charges nobody while it has none', async () => {
    const elsewhere = sealSecret(secret, { subject, publicKey: peerKey.signingKey.publicKey }, random)
    secrets.set(subject, { sealed: elsewhere, gate: null })
    expect(await refusal(2)).toEqual([503, 'secret-unknown'])
    expect(charged).toEqual([])
    atOthers = [await sealedToNode()]
    expect((await key(2)).status).toBe(200)
  })

  test('that the artist took from the list gives none any more', async () => {
    await put(await sealedToNode())
    track = await aTrack(ticksOfFour, [other])
    expect(await refusal(2)).toEqual([404, 'not-a-key-holder'])
  })
})

describe('a gate', () => {
  test('for followers opens to who follows the artist, and to the artist', async () => {
    price = undefined
    await put(await sealedToNode({ kind: 'follower' }))
    expect(await refusal(2)).toEqual([401, 'invalid-token'])
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    expect((await key(2, { account: listener })).status).toBe(200)
    entries.set(followKey(addressOf(listener), addressOf(artist)), { on: false })
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    expect((await key(2, { account: artist })).status).toBe(200)
    expect(charged).toEqual([])
  })

  test('for followers is closed to a key that has handed its account on, and open to who has that of the artist now', async () => {
    price = undefined
    entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    await put(await sealedToNode({ kind: 'follower' }))
    controllers.set(addressOf(listener), stranger)
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    controllers.set(addressOf(artist), addressOf(peerKey))
    await put(await sealedToNode({ kind: 'follower' }, { by: peerKey }), peerKey)
    expect(await refusal(2, { account: artist })).toEqual([403, 'gate-closed'])
    expect((await key(2, { account: peerKey })).status).toBe(200)
  })

  test.each(['erc20', 'erc721', 'erc1155'] as const)(
    'for holders of an %s opens to who has enough',
    async (standard) => {
      price = undefined
      await put(await sealedToNode({ kind: 'holder', standard, contract: stranger, least: '3' }))
      const balance = (amount: number) => async () => AbiCoder.defaultAbiCoder().encode(['uint256'], [amount])
      tokenBalance = balance(2)
      expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
      tokenBalance = balance(3)
      expect((await key(2, { account: listener })).status).toBe(200)
      tokenBalance = () => Promise.reject(new Error('the node is away'))
      expect(await refusal(2, { account: listener })).toEqual([503, 'gate-unknown'])
    },
  )

  test('says to everybody what it is, and to an account whether it is let in, before that pays', async () => {
    const ask = async (account?: Wallet) => {
      const headers = new Headers(account && [['authorization', await tokenOf(account)]])
      return fetch(`${server.origin}/premium/${subject}`, { headers })
    }
    expect(await outcome(await ask())).toEqual([503, 'secret-unknown'])
    await put(await sealedToNode())
    expect(await (await ask()).json()).toEqual({ gate: null, atMs: now })
    await put(await sealedToNode({ kind: 'follower' }))
    expect(await (await ask()).json()).toEqual({ gate: { kind: 'follower' }, atMs: now })
    expect(await outcome(await ask(listener))).toEqual([403, 'gate-closed'])
    entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    expect((await ask(listener)).status).toBe(200)
    expect(charged).toEqual([])
  })

  test('is set without the secret where that is known, also by a key that came later', async () => {
    const gateOnly = async (by: Wallet) => {
      const { sealed: _, ...rest } = await sealedToNode({ kind: 'follower' }, { by })
      return rest
    }
    expect(await put(await gateOnly(artist))).toEqual([503, 'secret-unknown'])
    await put(await sealedToNode())
    controller = listener
    expect(await put(await gateOnly(artist), listener)).toEqual([400, 'invalid-gate'])
    expect(await put(await gateOnly(listener), listener)).toEqual([204])
    expect(secrets.get(subject)?.gate).toEqual({ kind: 'follower' })
    // An artist passes by the key of today, and has the keys that the first one made.
    expect((await key(2, { account: listener })).status).toBe(200)
    expect(await refusal(2, { account: artist })).toEqual([403, 'gate-closed'])
  })

  test('of a track with a price lets nobody through who has not paid', async () => {
    await put(await sealedToNode({ kind: 'follower' }))
    entries.set(followKey(addressOf(listener), addressOf(artist)), { on: true })
    expect(await refusal(2, { account: listener, session: 'broke' })).toEqual([402, 'payment-required'])
    expect((await key(2, { account: listener })).status).toBe(200)
    expect(charged).toEqual([['paid', 2]])
  })
})

describe('a gate that was set while this key holder was away', () => {
  const followers = { kind: 'follower' } as const
  const hour = 3_600_000
  const gateNow = async () => (await fetch(`${server.origin}/premium/${subject}`)).json()

  test('is learnt from another one before a key is given, and kept', async () => {
    await put(await sealedToNode(null, { atMs: now - hour }))
    atOthers = [await sealedToNode(null, { atMs: now - 2 * hour }), await sealedToNode(followers)]
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    expect(charged).toEqual([])
    atOthers = []
    now += hour
    expect(await refusal(2, { account: listener })).toEqual([403, 'gate-closed'])
    expect(secrets.get(subject)?.gate).toEqual(followers)
  })

  test('is asked for once a minute, by any number of requests', async () => {
    await put(await sealedToNode(null, { atMs: now - hour }))
    await Promise.all([key(1), key(2), key(3)])
    await key(1)
    expect(asked).toBe(1)
    now += 60_000
    atOthers = [await sealedToNode(followers)]
    expect(await gateNow()).toEqual({ gate: followers, atMs: now })
    expect(asked).toBe(2)
  })

  test.each([
    ['nobody has signed', async () => ({ ...(await sealedToNode(followers)), proof: undefined })],
    ['somebody else has signed', () => sealedToNode(followers, { by: peerKey })],
    [
      'was signed for another gate',
      async () => ({ ...(await sealedToNode(followers)), gate: { ...followers, kind: 'holder' } as never }),
    ],
    ['is of a time to come', () => sealedToNode(followers, { atMs: now + hour })],
    ['is older', () => sealedToNode(followers, { atMs: now - 2 * hour })],
  ])('counts for nothing when it %s', async (_, told) => {
    const open = { kind: 'holder', standard: 'erc721', contract: stranger, least: '1' } as const
    await put(await sealedToNode(open, { atMs: now - hour }))
    atOthers = [(await told()) as KeptSecret]
    expect(await gateNow()).toEqual({ gate: open, atMs: now - hour })
  })

  test('takes the place of one that came before gates were signed', async () => {
    const { proof: _, ...unsigned } = await sealedToNode()
    secrets.set(subject, unsigned)
    expect(await gateNow()).toEqual({ gate: null })
    now += hour
    atOthers = [await sealedToNode(followers)]
    expect(await gateNow()).toEqual({ gate: followers, atMs: now })
  })

  test('is not taken back by the artist’s own older word, nor set for a time to come, nor unsigned', async () => {
    await put(await sealedToNode(followers))
    expect(await put(await sealedToNode(null, { atMs: now - 1 }))).toEqual([409, 'older-gate'])
    expect(await put(await sealedToNode(null, { atMs: now + hour }))).toEqual([400, 'invalid-gate'])
    const { proof: _, ...unsigned } = await sealedToNode()
    expect(await put(unsigned)).toEqual([400, 'invalid-gate'])
    expect(await put(await sealedToNode(null, { by: listener }))).toEqual([400, 'invalid-gate'])
    expect(await put(await sealedToNode(null))).toEqual([204])
  })
})

describe('another key holder', () => {
  const sealed = (publicKey = peerKey.signingKey.compressedPublicKey, name: Subject = subject) =>
    fetch(`${server.origin}/premium/${name}/sealed?publicKey=${publicKey}`)

  test('is given the secret, sealed to its own key', async () => {
    await put(await sealedToNode({ kind: 'follower' }))
    const given = (await (await sealed()).json()) as KeptSecret
    expect([given.gate, given.proof]).toEqual([{ kind: 'follower' }, secrets.get(subject)?.proof])
    expect(openSecret(given.sealed, { subject, privateKey: peerKey.privateKey })).toEqual(secret)
  })

  test('is not, if it is not on the list of the artist, or names the key of somebody else', async () => {
    await put(await sealedToNode())
    expect(await outcome(await sealed(nodeKey.signingKey.compressedPublicKey))).toEqual([403, 'not-your-key'])
    peer = { operator: stranger, hotKey: addressOf(peerKey) }
    expect(await outcome(await sealed())).toEqual([403, 'not-a-key-holder'])
    expect((await outcome(await sealed('0x02')))[0]).toBe(400)
  })
})
