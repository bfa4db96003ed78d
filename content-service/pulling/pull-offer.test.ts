import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuardedFetch, type GuardedFetch } from '@hexachord/platform/http'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import type { Hash } from '@hexachord/protocol/names'
import { subjectOf } from '@hexachord/protocol/names'
import type { Domain } from '@hexachord/protocol/signing'
import { createEmbeddedIpfs, type IpfsNode } from '@hexachord/storage/ipfs'
import { blockRoot } from '@hexachord/storage/tracks'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import pLimit from 'p-limit'
import { freshAuthor, makeOffer, startTestCreator, type TestCreator } from '../fixtures/test-creator.ts'
import { freePort } from '../fixtures/test-node.ts'
import { createOfferStore, offerMigrations } from '../offers/index.ts'
import { type PullDependencies, pullOffer } from './pull-offer.ts'

const domain: Domain = {
  ...{ name: 'Hexachord', version: '1', chainId: 31337 },
  verifyingContract: `0x${'aa'.repeat(20)}`,
}
const id: Hash = `0x${'0f'.repeat(32)}`
const { author, address } = freshAuthor()
const subject = subjectOf(address, 1n)

let folder: string
let ipfs: IpfsNode
let database: Sqlite
let fetch: GuardedFetch
let creator: TestCreator
let track: TestTrack
/** Which of its blocks were here, and whether they were kept, whenever the track was told of. */
let told: { here: string[]; isPinned: boolean }[]
/** Manifests that somebody has published. */
let published: Set<string>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-pulling-'))
  const logger = createLogger({ service: 'test', level: 'silent' })
  ipfs = await createEmbeddedIpfs({ directory: folder, bitswap: false, logger })
  database = openSqlite(':memory:', { migrations: offerMigrations })
  fetch = createGuardedFetch({ allowPrivateAddresses: true })
  const operator = address
  creator = await startTestCreator({ domain, operator, hotKey: author, port: await freePort() })
  track = await makeTestTrack({ segments: 3, bandwidths: [96_000] })
  told = []
  published = new Set()
})
afterEach(async () => {
  await creator.close()
  await fetch.close()
  database.close()
  await ipfs.close()
  await rm(folder, { recursive: true })
})

async function pull(): Promise<void> {
  const offers = createOfferStore(database)
  offers.add(id, await makeOffer(creator, { domain, to: address, subject, author }), Date.now())
  const here = new Set<string>()
  let isPinned = false
  const lease = offers.get(id)
  if (lease === undefined) throw new Error('the offer is not there')
  const dependencies: Partial<PullDependencies> = {
    ...{ database, offers, client: creator.client, fetch, self: address, sharedLimit: pLimit(4) },
    ipfs: {
      ...ipfs,
      putVerified: async (cid, ...rest) => ipfs.putVerified(cid, ...rest).then(() => void here.add(cid)),
      async pin(...given) {
        isPinned = true
        return ipfs.pin(...given)
      },
    },
    catalogue: {
      accepted: () => ({ operators: [], copies: 0 }),
      operators: () => new Map(),
      tracksWith: (manifest) =>
        published.has(manifest) ? [{ subject: subjectOf(address, 2n), state: {} as never }] : [],
    },
    rootOf: async (bytes) => blockRoot(bytes),
    takedowns: { trackDenied: () => undefined },
    room: { isBelowFloor: async () => false },
    receipts: { put: () => undefined } as unknown as PullDependencies['receipts'],
    issueReceipt: async () => ({}) as never,
    ...{ protectMs: 60_000, logger: createLogger({ service: 'test', level: 'silent' }), now: Date.now },
    onTrack({ cid }) {
      expect(cid).toBe(track.manifest)
      told.push({ here: [...here], isPinned })
    },
    onProgress: () => undefined,
  }
  await pullOffer(lease, dependencies as PullDependencies, AbortSignal.timeout(20_000))
}

const documents = () => track.blocks.slice(-2).map(({ cid }) => cid)

describe('a track that is offered', () => {
  test('is told of before more than its documents is here, where somebody has published it already', async () => {
    published.add(track.manifest)
    creator.add(track.blocks)
    creator.complete(track.manifest)
    await pull()
    expect(told[0]?.here.sort()).toEqual(documents().sort())
    expect(told.at(-1)?.isPinned).toBe(false)
  })

  test('is told of before it is kept where the list has named its manifest last, or nobody has published it', async () => {
    creator.add(track.blocks)
    creator.complete(track.manifest)
    await pull()
    expect(told.map(({ here, isPinned }) => [here.length, isPinned])).toEqual([[track.blocks.length, false]])
  })

  test('is told of at the latest when all of it is here, though its documents could not be read before', async () => {
    published.add(track.manifest)
    const [rendition] = track.blocks.slice(-2)
    const { cid = '', bytes } = rendition ?? {}
    creator.add(track.blocks.filter((block) => block !== rendition))
    const pulling = pull()
    while (!creator.blocksAsked.includes(cid)) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(told).toEqual([])
    if (bytes !== undefined) creator.add([{ cid, bytes }])
    creator.complete(track.manifest)
    await pulling
    expect(told).toMatchObject([{ isPinned: false }])
  })
})
