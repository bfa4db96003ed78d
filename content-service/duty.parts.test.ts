import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hash, type Subject, subjectOf } from '@hexachord/protocol/names'
import { type Receipt, receiptSchema, receiptSigner } from '@hexachord/protocol/receipts'
import { listOf } from '@hexachord/protocol/rest'
import { domainOf } from '@hexachord/protocol/signing'
import { startTestChain, type TestChain } from '@hexachord/storage/catalogue/fixtures'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import { eventually } from './fixtures/eventually.ts'
import { relayed, signDelete, signTrack } from './fixtures/publish.ts'
import {
  freshAuthor,
  makeOffer,
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
    for (const { status } of nodes) expect((await status()).indexed).toBeGreaterThanOrEqual(head)
  })
}, 60_000)
afterAll(async () => {
  for (const node of nodes) await node.remove()
  await chain.close()
})

const domain = () => domainOf(chain.network)

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

function node(index: number): TestNode {
  const found = nodes[index]
  if (found === undefined) throw new Error(`no node ${index}`)
  return found
}

async function hold(to: TestNode, leaseMs = 600_000): Promise<Receipt> {
  const offer = await makeOffer(
    creator,
    { domain: domain(), to: to.operator, subject, author },
    { offer: { expiresAt: Date.now() + leaseMs } },
  )
  const id = await sendOffer(creator, to.endpoint, offer)
  const { receipt, reason } = await outcomeOf(to.endpoint, id)
  if (receipt === undefined) throw new Error(`no receipt: ${reason}`)
  return receipt
}

/** Publishes a track that the first two nodes hold. @returns the action's hash */
async function publish(
  track: TestTrack,
  { prev = null, leaseMs = 600_000 }: { prev?: Hash | null; leaseMs?: number } = {},
): Promise<Hash> {
  offerWhole(creator, track)
  const receipts = [await hold(node(0), leaseMs), await hold(node(1), leaseMs)]
  const action = await signTrack(author, domain(), { subject, receipts, prev })
  await chain.act(relayed(action))
  return action.hash
}

const has = async (at: TestNode, cid: string) => {
  const response = await fetch(`${at.endpoint}/ipfs/${cid}?format=raw`, { method: 'HEAD' })
  return response.status === 200
}

async function expectWhole(at: TestNode, track: TestTrack): Promise<void> {
  for (const { cid } of track.blocks) expect(await has(at, cid)).toBe(true)
}

/** Whether the block is on the disk; a gateway may have it in memory for a while longer. */
async function isStored(at: TestNode, cid: string): Promise<boolean> {
  const file = await stat(fileOf(at, cid)).catch(() => undefined)
  return file !== undefined
}

async function expectGone(at: TestNode, track: TestTrack): Promise<void> {
  for (const { cid } of track.blocks) expect(await isStored(at, cid)).toBe(false)
}

function fileOf(at: TestNode, cid: string): string {
  return join(at.directory, 'blocks', cid.slice(-3, -1), cid)
}

describe('a published track', () => {
  test('is brought by its rank to an operator who was not offered it, which signs that it has it', async () => {
    const track = await makeTestTrack()
    await publish(track)
    const third = node(2)
    const receipt = await eventually(async () => {
      const response = await fetch(`${third.endpoint}/manifests/${track.manifest}/receipts`)
      const { items } = listOf(receiptSchema).parse(await response.json())
      expect(items).toHaveLength(1)
      return receiptSchema.parse(items[0])
    })
    await expectWhole(third, track)
    expect(receiptSigner(receipt, domain())).toBe(third.hotKey.address.toLowerCase())
    expect(receipt).toMatchObject({ subject, operator: third.operator, byteLength: track.byteLength })
    await eventually(async () => {
      expect(await third.status()).toMatchObject({ missing: 0, leases: { pulling: 0, held: 0 } })
    })
  })

  test('turns the lease into a duty that outlives the offer', async () => {
    const track = await makeTestTrack()
    const before = (await node(0).status()).held
    offerWhole(creator, track)
    const receipts = [await hold(node(0), 2_500), await hold(node(1), 2_500)]
    await chain.act(relayed(await signTrack(author, domain(), { subject, receipts })))
    await eventually(async () => {
      expect(await node(0).status()).toMatchObject({ held: before + 1, leases: { held: 0 } })
    })
    const over = Date.now() + 2_600
    await eventually(() => expect(Date.now()).toBeGreaterThan(over))
    await expectWhole(node(0), track)
  })

  test('is played from this node, with every other holder to fall back on', async () => {
    const track = await makeTestTrack()
    await publish(track)
    await eventually(async () => {
      const master = await fetch(`${node(0).endpoint}/hls/${track.manifest}/master.m3u8`)
      const text = await master.text()
      for (const other of [node(1), node(2)]) {
        expect(text).toContain(`${other.endpoint}/hls/${track.manifest}/aac-160.m3u8`)
      }
    })
  })

  test('is whole again after bits have flipped and blocks were lost on the disk', async () => {
    const track = await makeTestTrack()
    await publish(track)
    await eventually(async () => expect(await node(0).status()).toMatchObject({ missing: 0 }))
    const [rotten, lost] = track.blocks
    if (rotten === undefined || lost === undefined) throw new Error('too few blocks')
    const bytes = await readFile(fileOf(node(0), rotten.cid))
    bytes[7] = (bytes[7] ?? 0) ^ 1
    await writeFile(fileOf(node(0), rotten.cid), bytes)
    await node(0).stop()
    await writeFile(fileOf(node(0), lost.cid), '')
    await node(0).start()
    await eventually(async () => {
      expect(Buffer.compare(await readFile(fileOf(node(0), rotten.cid)), rotten.bytes)).toBe(0)
      expect(Buffer.compare(await readFile(fileOf(node(0), lost.cid)), lost.bytes)).toBe(0)
      expect(await node(0).status()).toMatchObject({ missing: 0 })
    })
    await expectWhole(node(0), track)
  })

  test('is let go everywhere after it was deleted', async () => {
    const track = await makeTestTrack()
    const prev = await publish(track, { leaseMs: 2_500 })
    await eventually(async () => expectWhole(node(2), track))
    await chain.act(relayed(await signDelete(author, domain(), { subject, prev })))
    await eventually(async () => {
      for (const at of nodes) await expectGone(at, track)
    })
    const receipts = await fetch(`${node(0).endpoint}/manifests/${track.manifest}/receipts`)
    expect(await receipts.json()).toMatchObject({ items: [], next: null })
  })

  test('gives way to what replaces it', async () => {
    const old = await makeTestTrack()
    const prev = await publish(old, { leaseMs: 2_500 })
    await creator.close()
    creator = await startTestCreator({
      domain: domain(),
      operator: creatorOperator.address,
      hotKey: creatorOperator.hotKey,
      port: creatorPort,
    })
    const fresh = await makeTestTrack()
    await publish(fresh, { prev })
    await eventually(async () => {
      await expectGone(node(0), old)
      await expectWhole(node(2), fresh)
    })
    await expectWhole(node(0), fresh)
  })

  test('is let go, too, where it was leased, but published and replaced while the operator was away', async () => {
    const old = await makeTestTrack()
    offerWhole(creator, old)
    await hold(node(2))
    await node(2).stop()
    const prev = await publish(old)
    await creator.close()
    creator = await startTestCreator({
      domain: domain(),
      operator: creatorOperator.address,
      hotKey: creatorOperator.hotKey,
      port: creatorPort,
    })
    const fresh = await makeTestTrack()
    await publish(fresh, { prev })
    await node(2).start()
    await eventually(async () => {
      await expectGone(node(2), old)
      await expectWhole(node(2), fresh)
    })
  })

  test('is taken back when the chain takes it back, and brought again when it comes again', async () => {
    const track = await makeTestTrack()
    offerWhole(creator, track)
    const receipts = [await hold(node(0), 2_500), await hold(node(1), 2_500)]
    const action = await signTrack(author, domain(), { subject, receipts })
    await chain.act(relayed(action))
    await eventually(async () => expectWhole(node(2), track))
    await chain.reorganise(1)
    await eventually(async () => {
      await expectGone(node(2), track)
    })
    await chain.act(relayed(action))
    await eventually(async () => {
      for (const at of nodes) await expectWhole(at, track)
    })
  })
})

describe('a track that is never published', () => {
  test('is collected when its offer is over', async () => {
    const track = await makeTestTrack()
    offerWhole(creator, track)
    await hold(node(0), 2_500)
    await expectWhole(node(0), track)
    await eventually(async () => {
      await expectGone(node(0), track)
    })
    expect(await node(0).status()).toMatchObject({ leases: { held: 0 } })
  })

  test('does not take blocks with it that a published one has, too', async () => {
    const track = await makeTestTrack()
    await publish(track)
    const other = freshAuthor()
    const published = subject
    subject = subjectOf(other.address, 1n)
    author = other.author
    const receipt = await hold(node(0), 2_500)
    expect(receipt.subject).not.toBe(published)
    await eventually(async () => {
      expect(await node(0).status()).toMatchObject({ leases: { held: 0, pulling: 0 } })
    })
    await expectWhole(node(0), track)
  })
})

// Last, since one operator more changes the ranks.
test('a published track is whole again after a reader has met a rotten block, without waiting for a scrub', async () => {
  const unscrubbed = await startTestNode({
    chain,
    pacing: { pollMs: 25, times: { patienceMs: 0 }, scrub: { passEveryMs: 86_400_000 } },
  })
  try {
    await chain.mineIntoNextEpoch()
    const head = await chain.head()
    await eventually(async () => expect((await unscrubbed.status()).indexed).toBeGreaterThanOrEqual(head))
    const track = await makeTestTrack()
    offerWhole(creator, track)
    const receipts = [await hold(unscrubbed), await hold(node(0))]
    await chain.act(relayed(await signTrack(author, domain(), { subject, receipts })))
    await eventually(async () => expect((await unscrubbed.status()).leases).toMatchObject({ held: 0 }))
    const [, rotten] = track.blocks
    if (rotten === undefined) throw new Error('too few blocks')
    await writeFile(fileOf(unscrubbed, rotten.cid), 'rot')
    const read = await fetch(`${unscrubbed.endpoint}/ipfs/${rotten.cid}?format=raw`)
    expect(read.status).toBe(404)
    await eventually(async () => {
      const again = await fetch(`${unscrubbed.endpoint}/ipfs/${rotten.cid}?format=raw`)
      expect(again.status).toBe(200)
      expect(Buffer.compare(Buffer.from(await again.arrayBuffer()), rotten.bytes)).toBe(0)
    })
  } finally {
    await unscrubbed.remove()
  }
})
