import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { encodeManifest } from '@hexachord/protocol/manifests'
import { parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import { offerStateSchema } from '@hexachord/protocol/offers'
import { receiptSchema, receiptSigner } from '@hexachord/protocol/receipts'
import { nodeStatusSchema } from '@hexachord/protocol/rest'
import { createRetriever } from '@hexachord/protocol/retrieval'
import { domainOf } from '@hexachord/protocol/signing'
import { startTestChain, type TestChain } from '@hexachord/storage/catalogue/fixtures'
import { gatewaySource } from '@hexachord/storage/tracks'
import { makeTestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { eventually } from './fixtures/eventually.ts'
import {
  freshAuthor,
  makeOffer,
  type OfferChange,
  offerWhole,
  outcomeOf,
  sendOffer,
  startTestCreator,
  type TestCreator,
} from './fixtures/test-creator.ts'
import { freePort, startTestNode, type TestNode } from './fixtures/test-node.ts'

jest.setTimeout(30_000)

let chain: TestChain
let nodes: TestNode[]
let creatorPort: number
let creatorOperator: { address: `0x${string}`; hotKey: Wallet }
beforeAll(async () => {
  chain = await startTestChain()
  creatorPort = await freePort()
  creatorOperator = await chain.register({ endpoint: `http://127.0.0.1:${creatorPort}`, capacityBytes: 0n })
  nodes = []
  for (let count = 0; count < 3; count++) nodes.push(await startTestNode({ chain }))
  await chain.mineIntoNextEpoch()
  const head = await chain.head()
  await eventually(async () => {
    for (const node of nodes) expect((await node.status()).indexed).toBeGreaterThanOrEqual(head)
  })
}, 60_000)
afterAll(async () => {
  for (const node of nodes) await node.remove()
  await chain.close()
})

let creator: TestCreator
let author: Wallet
let subject: Subject
beforeEach(async () => {
  creator = await startTestCreator({
    domain: domain(),
    operator: creatorOperator.address,
    hotKey: creatorOperator.hotKey,
    port: creatorPort,
  })
  const fresh = freshAuthor()
  author = fresh.author
  subject = subjectOf(fresh.address, 1n)
})
afterEach(() => creator.close())

const domain = () => domainOf(chain.network)

function node(index = 0): TestNode {
  const found = nodes[index]
  if (found === undefined) throw new Error(`no node ${index}`)
  return found
}

const offerTo = (to: TestNode, change?: OfferChange) =>
  makeOffer(creator, { domain: domain(), to: to.operator, subject, author }, change)

const offerAndWait = async (change?: OfferChange) => {
  const id = await sendOffer(creator, node().endpoint, await offerTo(node(), change))
  return outcomeOf(node().endpoint, id)
}

describe('an offer', () => {
  test('is pulled by every operator while the track is being made, and ends in receipts that agree', async () => {
    const track = await makeTestTrack()
    creator.add(track.blocks.slice(0, 2))
    const ids = await Promise.all(nodes.map(async (to) => sendOffer(creator, to.endpoint, await offerTo(to))))
    await eventually(async () => {
      for (const [index, id] of ids.entries()) {
        const response = await fetch(`${node(index).endpoint}/offers/${id}`)
        expect(offerStateSchema.parse(await response.json())).toMatchObject({ state: 'pulling', blocks: 2 })
      }
    })
    expect((await node().status()).leases.pulling).toBe(1)
    creator.add(track.blocks.slice(2))
    creator.complete(track.manifest)

    const outcomes = await Promise.all(ids.map((id, index) => outcomeOf(node(index).endpoint, id)))
    const receipts = outcomes.map(({ receipt }) => receiptSchema.parse(receipt))
    for (const [index, receipt] of receipts.entries()) {
      expect(outcomes[index]).toMatchObject({ state: 'held', byteLength: track.byteLength })
      expect(receipt).toMatchObject({
        operator: node(index).operator,
        subject,
        manifest: track.manifest,
        byteLength: track.byteLength,
        storageRoot: receipts[0]?.storageRoot,
      })
      expect(receiptSigner(receipt, domain())).toBe(parseAddress(node(index).hotKey.address))
    }
    expect(creator.asked.every(({ authorization }) => authorization?.startsWith('Hexachord '))).toBe(true)

    const listed = await fetch(`${node().endpoint}/manifests/${track.manifest}/receipts`)
    expect(await listed.json()).toMatchObject({ items: [receipts[0]], next: null })
    const retriever = createRetriever({
      fetch: globalThis.fetch,
      now: () => performance.now(),
      sources: () => [gatewaySource(node().endpoint)],
    })
    for (const { cid, bytes } of track.blocks) {
      expect(Buffer.compare((await retriever.retrieve(cid)).bytes, bytes)).toBe(0)
    }
    const master = await fetch(`${node().endpoint}/hls/${track.manifest}/master.m3u8`)
    expect(master.status).toBe(200)
    const status = nodeStatusSchema.parse(await node().status())
    expect(status).toMatchObject({ registered: true, missing: 0, leases: { pulling: 0 } })
  })

  test('is the same offer when it comes twice', async () => {
    offerWhole(creator, await makeTestTrack())
    const offer = await offerTo(node())
    const id = await sendOffer(creator, node().endpoint, offer)
    await outcomeOf(node().endpoint, id)
    const listsRead = creator.asked.length
    expect(await sendOffer(creator, node().endpoint, offer)).toBe(id)
    expect((await outcomeOf(node().endpoint, id)).state).toBe('held')
    expect(creator.asked).toHaveLength(listsRead)
  })

  test('goes on where it was when the node restarts in the middle', async () => {
    const track = await makeTestTrack()
    creator.add(track.blocks.slice(0, 4))
    const id = await sendOffer(creator, node().endpoint, await offerTo(node()))
    await eventually(async () => {
      const response = await fetch(`${node().endpoint}/offers/${id}`)
      expect(await response.json()).toMatchObject({ blocks: 4 })
    })
    await node().stop()
    await node().start()
    const blocksBefore = creator.blocksAsked.length
    creator.add(track.blocks.slice(4))
    creator.complete(track.manifest)
    expect(await outcomeOf(node().endpoint, id)).toMatchObject({
      state: 'held',
      blocks: track.blocks.length,
      byteLength: track.byteLength,
    })
    expect(creator.blocksAsked.slice(blocksBefore)).not.toContain(track.blocks[0]?.cid)
    expect(creator.asked.at(-1)?.after).not.toBe('0')
  })

  test('survives a creator node that is away for a moment', async () => {
    const track = await makeTestTrack()
    creator.add(track.blocks.slice(0, 1))
    creator.answerList(503)
    const id = await sendOffer(creator, node().endpoint, await offerTo(node()))
    await eventually(() => expect(creator.asked.length).toBeGreaterThan(1))
    creator.answerList(200)
    offerWhole(creator, track)
    expect((await outcomeOf(node().endpoint, id)).state).toBe('held')
  })

  test('may take a block from another operator when the creator node has lost it', async () => {
    const track = await makeTestTrack()
    offerWhole(creator, track)
    const first = await sendOffer(creator, node(1).endpoint, await offerTo(node(1)))
    expect((await outcomeOf(node(1).endpoint, first)).state).toBe('held')
    creator.tamper(track.blocks[0]?.cid ?? '', undefined)
    expect((await offerAndWait()).state).toBe('held')
  })
})

describe('an offer is refused', () => {
  const post = async (offer: unknown, client = creator.client) => {
    const response = await client(node().endpoint, '/offers', { json: offer })
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    const { type, detail } = (await response.json()) as { type: string; detail: string }
    return { status: response.status, slug: type.replace('urn:hexachord:problem:', ''), detail }
  }

  test('without a signature of an operator on the request', async () => {
    const response = await fetch(`${node().endpoint}/offers`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(await offerTo(node())),
    })
    expect(response.status).toBe(401)
  })

  test('when it is malformed, with every field that is wrong', async () => {
    const offer = await offerTo(node())
    const refusal = await post({ ...offer, byteLimit: -1, source: 'nowhere' })
    expect(refusal).toMatchObject({ status: 400, slug: 'invalid-request' })
    expect(refusal.detail).toContain('byteLimit')
    expect(refusal.detail).toContain('source')
    expect(await post('nonsense')).toMatchObject({ status: 400 })
  })

  test.each<[string, OfferChange | (() => OfferChange), number, string]>([
    ['by somebody else', { signer: new Wallet(Wallet.createRandom().privateKey) }, 403, 'invalid-offer'],
    ['that is over', { offer: { expiresAt: Date.now() - 1 } }, 403, 'invalid-offer'],
    ['to another operator', () => ({ offer: { to: node(1).operator } }), 403, 'invalid-offer'],
    ['for another operator', () => ({ offer: { operator: node(1).operator } }), 403, 'other-operator'],
    ['that never ends', { offer: { expiresAt: Date.now() + 38 * 86_400_000 } }, 403, 'offer-too-long'],
    ['of a track of somebody else', { author: freshAuthor().author }, 403, 'not-the-author'],
    ['with a grant for another node', { grant: { audience: 'https://a.example' } }, 403, 'invalid-grant'],
    ['with a grant that is over', { grant: { expiresAt: Date.now() - 1 } }, 403, 'invalid-grant'],
    ['of more than was granted', { grant: { byteLimit: 10 } }, 403, 'invalid-offer'],
    [
      'of what is elsewhere',
      { offer: { source: 'https://elsewhere.example/blocks' } },
      403,
      'foreign-source',
    ],
    [
      'of more than its stake allows',
      { offer: { byteLimit: 2 ** 29 }, grant: { byteLimit: 2 ** 29 } },
      413,
      'over-share',
    ],
  ])('%s', async (_, change, status, slug) => {
    const offer = await offerTo(node(), typeof change === 'function' ? change() : change)
    expect(await post(offer)).toMatchObject({ status, slug })
  })
})

describe('a track is not held', () => {
  test('when the source gives other bytes than it lists', async () => {
    const track = await makeTestTrack()
    offerWhole(creator, track)
    creator.tamper(track.blocks[1]?.cid ?? '', new Uint8Array(30))
    const outcome = await offerAndWait()
    expect(outcome).toMatchObject({ state: 'failed', reason: expect.stringContaining('sends other bytes') })
    expect(outcome.receipt).toBeUndefined()
  })

  test('when it has more bytes than were offered', async () => {
    offerWhole(creator, await makeTestTrack())
    expect(await offerAndWait({ offer: { byteLimit: 50_000 } })).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('the offer allows 50000'),
    })
  })

  test('when a block has another length than the list says', async () => {
    const track = await makeTestTrack()
    const [first, ...rest] = track.blocks
    if (first === undefined) throw new Error('no block')
    creator.add(rest)
    creator.tamper(first.cid, first.bytes)
    creator.addListed({ cid: first.cid, byteLength: first.bytes.length + 1 })
    creator.complete(track.manifest)
    expect(await offerAndWait()).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('the list says'),
    })
  })

  test('when the manifest links to a block that the list leaves out', async () => {
    const track = await makeTestTrack()
    creator.add(track.blocks.slice(1))
    creator.complete(track.manifest)
    expect(await offerAndWait()).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining(`block ${track.blocks[0]?.cid} is not here`),
    })
  })

  test('when it is no track', async () => {
    const track = await makeTestTrack()
    creator.add(track.blocks)
    creator.complete(track.blocks[0]?.cid ?? '')
    expect(await offerAndWait()).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('is not a track'),
    })
  })

  test('when its manifest nests: where a rendition should be there is another manifest', async () => {
    const { manifest, durationMs, blocks } = await makeTestTrack()
    const bytes = encodeManifest({ v: 1, kind: 'track', durationMs, renditions: [linkTo(manifest)] })
    const nesting = await cidOf(bytes, 'dag-json')
    creator.add([...blocks, { cid: nesting, bytes }])
    creator.complete(nesting)
    expect(await offerAndWait()).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('is not a track'),
    })
  })

  test('when the list names what is no block', async () => {
    creator.addListed({ cid: 'QmNoBlockOfOurs', byteLength: 10 })
    expect(await offerAndWait()).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('the block list is malformed'),
    })
  })

  test.each([
    ['is gone', () => creator.answerList(410), 'answered 410'],
    ['gives up', () => creator.giveUp(), 'has given the track up'],
  ])('when the source %s', async (_, happen, reason) => {
    happen()
    expect(await offerAndWait()).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining(reason),
    })
  })

  test('when it never comes, once the offer is over', async () => {
    const soon = Date.now() + 700
    expect(await offerAndWait({ offer: { expiresAt: soon } })).toMatchObject({ state: 'expired' })
  })
})

test('a node that may not reach private networks fetches nothing there for anyone', async () => {
  const strict = await startTestNode({ chain, env: { ALLOW_PRIVATE_ADDRESSES: 'false' } })
  try {
    await chain.mineIntoNextEpoch()
    const head = await chain.head()
    await eventually(async () => expect((await strict.status()).indexed).toBeGreaterThanOrEqual(head))
    offerWhole(creator, await makeTestTrack())
    const id = await sendOffer(creator, strict.endpoint, await offerTo(strict))
    expect(await outcomeOf(strict.endpoint, id)).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('not a public address'),
    })
    expect(creator.asked).toEqual([])
  } finally {
    await strict.remove()
  }
})

test('operators find each other over libp2p by what the registry and their status say', async () => {
  await eventually(async () => {
    for (const { status } of nodes) expect(await status()).toMatchObject({ connectedPeers: 2 })
  })
})

test('an offer that is unknown is not found', async () => {
  expect((await fetch(`${node().endpoint}/offers/0x${'00'.repeat(32)}`)).status).toBe(404)
  expect((await fetch(`${node().endpoint}/offers/7`)).status).toBe(400)
})
