import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { canMountDisks, mountSmallDisk, type SmallDisk } from '@hexachord/platform/testing'
import { type Subject, subjectOf } from '@hexachord/protocol/names'
import { receiptSchema, receiptSigner } from '@hexachord/protocol/receipts'
import { domainOf } from '@hexachord/protocol/signing'
import { startTestChain, type TestChain } from '@hexachord/storage/catalogue/fixtures'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import { eventually } from './fixtures/eventually.ts'
import { relayed, signTrack } from './fixtures/publish.ts'
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

const diskBytes = 24 * 1024 ** 2
/** Long enough to be held, and over while the disk is full. */
const shortLeaseMs = 4_000

describe(`a disk that fills up${canMountDisks ? '' : ' (NOT RUN: only root can mount one)'}`, () => {
  const asRoot = canMountDisks ? test : test.skip
  let disk: SmallDisk
  let chain: TestChain
  /** On the small disk. */
  let node: TestNode
  /** On a disk with room. */
  let other: TestNode
  /** What it says that it cannot do for want of room. */
  let waiting: Set<unknown>
  let creatorPort: number
  let creatorOperator: { address: `0x${string}`; hotKey: Wallet }
  beforeAll(async () => {
    if (!canMountDisks) return
    disk = await mountSmallDisk(diskBytes)
    chain = await startTestChain()
    creatorPort = await freePort()
    const endpoint = `http://127.0.0.1:${creatorPort}`
    creatorOperator = await chain.register({ endpoint, capacityBytes: 0n })
    // Without a floor, so that not the rule about it is what is met here.
    const env = { FREE_DISK_BYTES: '0' }
    waiting = new Set()
    const logger = Object.assign(createLogger({ service: 'content-full', level: 'silent' }), {
      error: ({ what }: { what?: string }) => waiting.add(what),
    })
    node = await startTestNode({ chain, directory: disk.path, env, logger })
    other = await startTestNode({ chain })
    await chain.mineIntoNextEpoch()
    await untilIndexed()
  }, 60_000)
  afterAll(async () => {
    await node?.remove()
    await other?.remove()
    await chain?.close()
    await disk?.remove()
  })

  let creator: TestCreator
  beforeEach(async () => {
    if (canMountDisks) creator = await startCreator()
  })
  afterEach(async () => {
    await creator?.close()
    await disk?.empty()
  })

  const domain = () => domainOf(chain.network)
  const startCreator = () =>
    startTestCreator({
      ...{ domain: domain(), operator: creatorOperator.address, hotKey: creatorOperator.hotKey },
      port: creatorPort,
    })

  async function untilIndexed(): Promise<void> {
    const head = await chain.head()
    await eventually(async () => {
      for (const { status } of [node, other]) expect((await status()).indexed).toBeGreaterThanOrEqual(head)
    })
  }

  async function offer(to: TestNode, subject: Subject, author: Wallet, ms = 600_000): Promise<string> {
    const terms = { domain: domain(), to: to.operator, subject, author }
    const change = { offer: { expiresAt: Date.now() + ms } }
    return sendOffer(creator, to.endpoint, await makeOffer(creator, terms, change))
  }

  async function receiptOf(to: TestNode, id: string) {
    const { receipt, reason } = await outcomeOf(to.endpoint, id)
    if (receipt === undefined) throw new Error(`no receipt: ${reason}`)
    return receiptSchema.parse(receipt)
  }

  /** Publishes a track that both nodes hold then. */
  async function publish(track: TestTrack): Promise<void> {
    const { author, address } = freshAuthor()
    const subject = subjectOf(address, 1n)
    offerWhole(creator, track)
    const receipts = []
    for (const to of [node, other]) receipts.push(await receiptOf(to, await offer(to, subject, author)))
    await chain.act(relayed(await signTrack(author, domain(), { subject, receipts })))
    await eventually(async () => {
      for (const { status } of [node, other]) expect(await status()).toMatchObject({ held: 1, missing: 0 })
    })
  }

  const get = (path: string) => fetch(`${node.endpoint}${path}`)
  const blockStatus = async (cid: string) => (await get(`/ipfs/${cid}?format=raw`)).status
  const fileOf = (cid: string) => join(node.directory, 'blocks', cid.slice(-3, -1), cid)

  asRoot(
    'ends nothing and loses nothing: what is held is served, offers are refused clearly or wait, and all goes on when there is room again',
    async () => {
      const held = await makeTestTrack()
      await publish(held)
      const { author, address } = freshAuthor()
      const lapsing = await offer(node, subjectOf(address, 3n), author, shortLeaseMs)
      expect(await outcomeOf(node.endpoint, lapsing)).toMatchObject({ state: 'held' })
      await creator.close()
      creator = await startCreator()
      const pulled = await makeTestTrack()
      creator.add(pulled.blocks.slice(0, 2))
      const id = await offer(node, subjectOf(address, 1n), author)
      await eventually(async () => {
        expect(await (await get(`/offers/${id}`)).json()).toMatchObject({ state: 'pulling', blocks: 2 })
      })

      await disk.fill()
      await chain.mineIntoNextEpoch()
      const head = await chain.head()
      creator.add(pulled.blocks.slice(2))
      creator.complete(pulled.manifest)
      const [bad, ...good] = held.blocks
      if (bad === undefined) throw new Error('no block')
      await writeFile(fileOf(bad.cid), Buffer.alloc(bad.bytes.length), { flag: 'r+' })
      expect(await blockStatus(bad.cid)).toBe(404)
      for (const { cid } of good) expect(await blockStatus(cid)).toBe(200)
      await eventually(async () => expect((await node.status()).head).toBeGreaterThanOrEqual(head))
      expect((await creator.client(node.endpoint, '/holdings')).status).toBe(200)
      expect((await get('/health')).status).toBe(200)
      expect((await get('/ready')).status).toBe(503)
      await expect(offer(node, subjectOf(address, 2n), author)).rejects.toThrow(/^507: .*(no-room|disk-full)/)
      expect(await (await get(`/offers/${id}`)).json()).toMatchObject({ state: 'pulling' })
      expect((await node.status()).indexed).toBeLessThan(head)
      // Its lease has ended meanwhile, and the other one was asked again what it holds.
      await eventually(() => {
        const all = [
          'the catalogue',
          'an offer',
          'a damaged block',
          'the scrub',
          'the keeper',
          'what others hold',
        ]
        expect([...waiting]).toEqual(expect.arrayContaining(all))
      })
      expect(await (await get(`/offers/${id}`)).json()).toMatchObject({ state: 'pulling' })

      await disk.empty()
      await untilIndexed()
      const receipt = await receiptOf(node, id)
      expect(receiptSigner(receipt, domain())).toBe(node.hotKey.address.toLowerCase())
      for (const { cid } of pulled.blocks) expect(await blockStatus(cid)).toBe(200)
      // What turned out to be damaged meanwhile is mended from the other node.
      await eventually(async () => expect(await blockStatus(bad.cid)).toBe(200))
      await eventually(async () => expect(await node.status()).toMatchObject({ held: 1, missing: 0 }))
      expect((await get('/ready')).status).toBe(200)
      // It has ended, but is let go when the keeper looks again.
      await eventually(async () =>
        expect(await outcomeOf(node.endpoint, lapsing)).toMatchObject({ state: 'expired' }),
      )
      const fresh = await receiptOf(node, await offer(node, subjectOf(address, 2n), author))
      expect(fresh).toMatchObject({ operator: node.operator, manifest: pulled.manifest })
    },
    60_000,
  )
})
