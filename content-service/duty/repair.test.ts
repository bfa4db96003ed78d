import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuardedFetch, type GuardedFetch } from '@hexachord/platform/http'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { type Address, type Subject, subjectOf } from '@hexachord/protocol/names'
import { createEmbeddedIpfs, type IpfsNode } from '@hexachord/storage/ipfs'
import { blockRoot } from '@hexachord/storage/tracks'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { createOfferStore, type OfferStore, offerMigrations } from '../offers/index.ts'
import {
  createIssueReceipt,
  createReceiptStore,
  type ReceiptStore,
  receiptMigrations,
} from '../receipts/index.ts'
import { createHoldingStore, type Holding, type HoldingStore, holdingMigrations } from './holding-store.ts'
import { letGoOfOrphans, letGoOfTracks } from './let-go.ts'
import { NoRoom, type RepairDependencies, repair } from './repair.ts'
import { urgencies } from './standing.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const self: Address = `0x${'01'.repeat(20)}`
const subject: Subject = subjectOf(`0x${'aa'.repeat(20)}`, 1n)

let directory: string
let database: Sqlite
let ipfs: IpfsNode
let fetch: GuardedFetch
let holdings: HoldingStore
let offers: OfferStore
let receipts: ReceiptStore
let track: TestTrack
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-duty-'))
  database = openSqlite(':memory:', {
    migrations: [...offerMigrations, ...receiptMigrations, ...holdingMigrations],
  })
  ipfs = await createEmbeddedIpfs({ directory, bitswap: false, logger })
  fetch = createGuardedFetch()
  holdings = createHoldingStore(database)
  offers = createOfferStore(database)
  receipts = createReceiptStore(database)
  track = await makeTestTrack()
  for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
})
afterEach(async () => {
  await fetch.close()
  await ipfs.close()
  database.close()
  await rm(directory, { recursive: true })
})

const missing = (): Holding => ({
  subject,
  manifest: track.manifest,
  byteLength: track.byteLength,
  state: 'missing',
  extra: false,
  urgency: urgencies.soon,
  dueAt: 0,
  attempts: 3,
  reason: 'nobody had it',
})

function dependencies(change: Partial<RepairDependencies> = {}): RepairDependencies {
  return {
    database,
    catalogue: {
      operators: () => new Map(),
      ranks: () => ({ operators: [], copies: 0 }),
      subject: () => undefined,
    },
    ipfs,
    fetch,
    rootOf: async (bytes) => blockRoot(bytes),
    room: { freeBytes: async () => 10_000_000 },
    holdings,
    offers,
    receipts,
    issueReceipt: createIssueReceipt({
      hotKey: new Wallet(`0x${'11'.repeat(32)}`),
      domain: { name: 'Hexachord', version: '1', chainId: 1, verifyingContract: self },
      operator: self,
      head: () => 7,
      now: Date.now,
    }),
    copiesOf: () => ({ holders: [], live: [] }),
    self,
    leaseMs: 60_000,
    now: Date.now,
    ...change,
  }
}

const { signal } = new AbortController()

describe('bringing a track here', () => {
  test('pins it and leaves a receipt, with nothing left to say about earlier tries', async () => {
    holdings.put(missing())
    await repair(missing(), dependencies(), signal)
    expect(await ipfs.isPinned(track.manifest)).toBe(true)
    expect(holdings.get(subject, track.manifest)).toMatchObject({ state: 'held', attempts: 0, reason: null })
    expect(receipts.ofManifest(track.manifest)).toMatchObject([{ operator: self, subject, blockNumber: 7 }])
  })

  test('leaves no pin when the track is let go in the meantime', async () => {
    holdings.put(missing())
    const letGoWhilePinning: IpfsNode = Object.assign(Object.create(ipfs), {
      async pin(root: string) {
        holdings.remove(subject, root)
        return ipfs.pin(root)
      },
    })
    await repair(missing(), dependencies({ ipfs: letGoWhilePinning }), signal)
    expect(await ipfs.isPinned(track.manifest)).toBe(false)
    expect(receipts.ofManifest(track.manifest)).toEqual([])
  })

  test('waits for room that is not there', async () => {
    const room = { freeBytes: async () => track.byteLength - 1 }
    await expect(repair(missing(), dependencies({ room }), signal)).rejects.toBeInstanceOf(NoRoom)
  })
})

describe('letting go', () => {
  test('spares content that another name keeps, until that is over, too', async () => {
    const other = subjectOf(`0x${'bb'.repeat(20)}`, 1n)
    await ipfs.pin(track.manifest)
    holdings.put({ ...missing(), state: 'releasing', dueAt: 100 })
    holdings.put({ ...missing(), subject: other, state: 'releasing', dueAt: 200 })
    const stores = dependencies() as RepairDependencies & { offers: OfferStore }
    await letGoOfTracks(stores, 150)
    expect(await ipfs.isPinned(track.manifest)).toBe(true)
    expect(holdings.ofManifest(track.manifest)).toMatchObject([{ subject: other }])
    await letGoOfTracks(stores, 250)
    expect(await ipfs.isPinned(track.manifest)).toBe(false)
  })

  test('takes away pins that nothing knows of, and only these', async () => {
    const known = track
    holdings.put({ ...missing(), state: 'held' })
    await ipfs.pin(known.manifest)
    const orphan = await makeTestTrack()
    for (const { cid, bytes } of orphan.blocks) await ipfs.putVerified(cid, bytes)
    await ipfs.pin(orphan.manifest)
    const archive = await ipfs.put(new TextEncoder().encode('an epoch'), 'raw')
    await ipfs.pin(archive)
    const archives = { holds: (root: string) => root === archive }
    expect(await letGoOfOrphans({ ipfs, holdings, offers, archives }, signal)).toBe(1)
    expect(await ipfs.isPinned(known.manifest)).toBe(true)
    expect(await ipfs.isPinned(archive)).toBe(true)
    expect(await ipfs.isPinned(orphan.manifest)).toBe(false)
  })
})
