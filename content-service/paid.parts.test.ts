import { type Hash, parseAddress, type Subject, subjectOf } from '@hexachord/protocol/names'
import { type Line, splitLine } from '@hexachord/protocol/payments'
import { domainOf, signMessage } from '@hexachord/protocol/signing'
import { type PaidChain, payees, signVoucher, startPaidChain } from '@hexachord/storage/till/chain/fixtures'
import { post, reportIn, testListener } from '@hexachord/storage/till/fixtures'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import { eventually } from './fixtures/eventually.ts'
import { relayed, signTrack } from './fixtures/publish.ts'
import {
  makeOffer,
  offerWhole,
  outcomeOf,
  sendOffer,
  startTestCreator,
  type TestCreator,
} from './fixtures/test-creator.ts'
import { freePort, startTestNode, type TestNode } from './fixtures/test-node.ts'

jest.setTimeout(30_000)

const price = 134n
const shares = { nodeBps: 1_500, curatorBps: 300 }
const curator = parseAddress('0x2222222222222222222222222222222222222222')
const segments = 24

let paid: PaidChain
/** Two that hold the track, and one that has no room for it. */
let nodes: TestNode[]
let creator: TestCreator
let author: Wallet
let subject: Subject
let track: TestTrack
let sold: Hash
beforeAll(async () => {
  paid = await startPaidChain()
  const { chain } = paid
  const port = await freePort()
  const maker = await chain.register({ endpoint: `http://127.0.0.1:${port}`, capacityBytes: 0n })
  nodes = []
  for (const capacityBytes of [2 ** 30, 2 ** 30, 1_000]) {
    nodes.push(await startTestNode({ chain, capacityBytes }))
  }
  for (const { hotKey } of nodes) await paid.fund(hotKey.address, 10n ** 19n)
  await chain.mineIntoNextEpoch()
  const domain = domainOf(chain.network)
  creator = await startTestCreator({ domain, operator: maker.address, hotKey: maker.hotKey, port })
  author = await paid.account()
  subject = subjectOf(parseAddress(author.address), 1n)
  track = await makeTestTrack({ segments, segmentBytes: 3_000, bandwidths: [96_000] })
  offerWhole(creator, track)
  const receipts = []
  for (const to of nodes.slice(0, 2)) {
    const offer = await makeOffer(creator, { domain, to: to.operator, subject, author })
    const { receipt } = await outcomeOf(to.endpoint, await sendOffer(creator, to.endpoint, offer))
    if (receipt !== undefined) receipts.push(receipt)
  }
  await chain.act(relayed(await signTrack(author, domain, { subject, receipts })))
  sold = await paid.setTerms(author, 1n, { unitPrice: price, ...shares })
}, 60_000)
afterAll(async () => {
  for (const node of nodes) await node.remove()
  await creator.close()
  await paid.close()
})

function node(index: number): TestNode {
  const found = nodes[index]
  if (found === undefined) throw new Error(`no node ${index}`)
  return found
}

const segment = (unit: number) => `/ipfs/${track.blocks[1 + unit]?.cid}?format=raw`
const statusOf = async (at: TestNode, path: string) => (await fetch(at.endpoint + path)).status

/** A listener with money, and a session at a node. */
async function listenAt(at: TestNode) {
  const wallet = await paid.account(10_000n)
  const [payer, operator] = [parseAddress(wallet.address), at.operator]
  const opening = { node: operator, subject, curator }
  const signed = await testListener(wallet).opening(opening, paid.domain)
  const { session } = await reportIn(await post(at.endpoint, '/pay/sessions', signed))

  return {
    ...{ wallet, payer, session },
    report: async () => reportIn(await fetch(`${at.endpoint}/pay/sessions/${session}`)),
    async reserve(total: bigint) {
      const deadline = Math.floor(Date.now() / 1000) + 3_600
      const message = { payer, node: operator, total, deadline: BigInt(deadline) }
      const signature = await signMessage(wallet, paid.domain, 'Reserve', message)
      return post(at.endpoint, '/pay/reserves', { session, payer, total, deadline, signature })
    },
    /** Pays units since `base` in all. */
    async pay(units: number, base = 0n) {
      const lines: Line[] = [{ track: sold, curator, amount: price * BigInt(units) }]
      const voucher = await signVoucher(paid.domain, wallet, { payer, node: operator, base, lines })
      return post(at.endpoint, '/pay/vouchers', { session, voucher })
    },
    hear: async (unit: number) => {
      const response = await fetch(`${at.endpoint}${segment(unit)}&s=${session}`)
      return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
    },
  }
}

describe('a paid track', () => {
  test('costs strangers, and neither nodes of the network nor what leads to its sound', async () => {
    await eventually(async () => expect(await statusOf(node(0), segment(0))).toBe(402))
    const refused = await fetch(node(0).endpoint + segment(0))
    expect(refused.headers.get('payment-required')).toBeTruthy()
    expect(await statusOf(node(0), `/ipfs/${track.manifest}?format=raw`)).toBe(200)
    expect(await statusOf(node(0), `/ipfs/${track.blocks[0]?.cid}?format=raw`)).toBe(200)
    const offer = await (await fetch(`${node(0).endpoint}/pay/offer`)).json()
    expect(offer).toMatchObject({ operator: node(0).operator, endpoint: node(0).endpoint })
  })

  test('is heard for what was signed, and pays node, curator and payees to the last unit on the chain', async () => {
    const at = node(0)
    const listener = await listenAt(at)
    await listener.reserve(price * 20n).then(async (response) => {
      expect(response.status).toBe(202)
      expect((await reportIn(response)).channel.awaited).toBe(price * 20n)
    })
    expect((await listener.pay(9)).status).toBe(200)
    for (let unit = 0; unit < 9; unit++) {
      const { status, bytes } = await listener.hear(unit)
      expect([status, bytes.equals(track.blocks[1 + unit]?.bytes ?? Buffer.alloc(0))]).toEqual([200, true])
    }
    expect((await listener.hear(9)).status).toBe(402)
    await eventually(async () => expect((await listener.report()).channel.reserved).toBe(price * 20n))

    const before = await balances(at)
    expect((await listener.pay(12)).status).toBe(200)
    const line = { track: sold, curator, amount: price * 12n }
    const split = splitLine(line, shares)
    await eventually(async () => expect((await balances(at)).node).toBe(before.node + split.node))
    await paid.call(author, 'escrow', 'distribute', sold, 1)
    expect(await balances(at)).toEqual({
      node: before.node + split.node,
      curator: before.curator + split.curator,
      payee: before.payee + split.track,
    })
    await paid.chain.mine(4)
    await eventually(async () => expect((await listener.report()).channel.frozen).toBeNull())
    expect((await at.status()).till).toMatchObject({ redeemed: `${price * 12n}`, trouble: null })

    // What is paid and not spent is still the listener's, and the next voucher begins where the last one ended.
    expect((await listener.hear(9)).status).toBe(200)
    expect((await listener.pay(1, price * 12n)).status).toBe(200)
    await paid.call(listener.wallet, 'escrow', 'initiateRelease', listener.payer, at.operator, price * 8n)
    await eventually(async () => expect(await settledOf(listener.payer, at)).toBe(price * 13n))
    await paid.later(61)
    await paid.call(listener.wallet, 'escrow', 'finalizeRelease', listener.payer, at.operator)
    const left = 10_000n - price * 13n
    expect(await paid.balanceOf(listener.payer)).toBe(left)
    await paid.call(listener.wallet, 'escrow', 'withdraw', listener.payer, left)
    expect(await paid.balanceOf(listener.payer)).toBe(0n)
  })

  test('is sold by any operator, who fetches it from those that hold it', async () => {
    const at = node(2)
    const listener = await listenAt(at)
    expect((await listener.hear(3)).status).toBe(402)
    expect((await listener.reserve(price * 20n)).status).toBe(202)
    expect((await listener.pay(2)).status).toBe(200)
    for (const unit of [3, 4]) {
      const { status, bytes } = await listener.hear(unit)
      expect([status, bytes.equals(track.blocks[1 + unit]?.bytes ?? Buffer.alloc(0))]).toEqual([200, true])
    }
    // They ask it for no money: it is a node of the network, whose bytes they count.
    const counted = await Promise.all(nodes.slice(0, 2).map((holder) => fetchedFrom(holder, at)))
    expect(counted.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThanOrEqual(2 * 3_000)
    const playlist = await fetch(`${at.endpoint}/hls/${track.manifest}/aac-96.m3u8?s=${listener.session}`)
    expect(await playlist.text()).toContain(`&s=${listener.session}`)
    expect(await statusOf(at, `/ipfs/${track.blocks[0]?.cid}?format=raw`)).toBe(200)
    expect(await statusOf(at, segment(5))).toBe(402)
    expect((await at.status()).held).toBe(0)
    const [other] = (await makeTestTrack()).blocks
    expect(await statusOf(at, `/ipfs/${other?.cid}?format=raw`)).toBe(404)
  })

  test('is served on to those who have paid while their payer takes its money back, up to what is left', async () => {
    const at = node(1)
    const listener = await listenAt(at)
    await paid.call(listener.wallet, 'escrow', 'reserve', [{ node: at.operator, total: price * 20n }])
    await eventually(async () => expect((await listener.report()).channel.reserved).toBe(price * 20n))
    expect((await listener.pay(3)).status).toBe(200)
    await paid.call(listener.wallet, 'escrow', 'initiateRelease', listener.payer, at.operator, price * 20n)
    await eventually(async () => expect(await settledOf(listener.payer, at)).toBe(price * 3n))
    expect((await listener.pay(1, price * 3n)).status).toBe(409)
    for (const unit of [0, 1, 2]) expect((await listener.hear(unit)).status).toBe(200)
    expect((await listener.hear(3)).status).toBe(402)
  })
})

/** Bytes of tracks that cost something that a node has fetched from another. */
async function fetchedFrom(holder: TestNode, { operator }: TestNode): Promise<number> {
  const { till } = await holder.status()
  return till?.peers.find((peer) => peer.operator === operator)?.paidBytes ?? 0
}

async function settledOf(payer: string, { operator }: TestNode): Promise<bigint> {
  return (await paid.escrow.getFunction('channel')(payer, payer, operator)).settled
}

async function balances({ operator }: TestNode) {
  return {
    node: await paid.balanceOf(operator),
    curator: await paid.balanceOf(curator),
    payee: await paid.balanceOf(payees[0]),
  }
}
