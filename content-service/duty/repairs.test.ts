import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuardedFetch, type GuardedFetch } from '@hexachord/platform/http'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { type Address, type Subject, subjectOf } from '@hexachord/protocol/names'
import { createEmbeddedIpfs, type IpfsNode } from '@hexachord/storage/ipfs'
import { blockRoot } from '@hexachord/storage/tracks'
import { makeTestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { createOfferStore, offerMigrations } from '../offers/index.ts'
import { createIssueReceipt, createReceiptStore, receiptMigrations } from '../receipts/index.ts'
import { createHoldingStore, type Holding, type HoldingStore, holdingMigrations } from './holding-store.ts'
import { createRepairs, type Repairs } from './repairs.ts'
import { type Urgency, urgencies } from './standing.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const self: Address = `0x${'01'.repeat(20)}`
/** At the rate of these tests. */
const msPerTrack = 10_000

let directory: string
let database: Sqlite
let ipfs: IpfsNode
let fetch: GuardedFetch
let holdings: HoldingStore
let repairs: Repairs
let ending: AbortController
/** What the node's clock says. */
let clock: number
/** Manifests of which bringing has begun, each with what lets it go on. */
let begun: Map<string, () => void>
let tries: number
let onEnded: () => void
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-repairs-'))
  database = openSqlite(':memory:', {
    migrations: [...offerMigrations, ...receiptMigrations, ...holdingMigrations],
  })
  ipfs = await createEmbeddedIpfs({ directory, bitswap: false, logger })
  fetch = createGuardedFetch()
  holdings = createHoldingStore(database)
  ending = new AbortController()
  clock = 1_000_000
  begun = new Map()
  tries = 0
  onEnded = () => {}
})
afterEach(async () => {
  ending.abort()
  for (const release of begun.values()) release()
  await repairs.ended()
  await fetch.close()
  await ipfs.close()
  database.close()
  await rm(directory, { recursive: true })
})

/** A track that is missing, as far as this node knows: every block of it happens to be on the disk. */
async function missing(tokenId: bigint, urgency: Urgency): Promise<Holding> {
  const { manifest, blocks, byteLength } = await makeTestTrack({ segments: 1, segmentBytes: 500 })
  for (const { cid, bytes } of blocks) await ipfs.putVerified(cid, bytes)
  const subject: Subject = subjectOf(`0x${'aa'.repeat(20)}`, tokenId)
  const holding: Holding = {
    ...{ subject, manifest, byteLength, state: 'missing', extra: false, urgency },
    ...{ dueAt: Number(tokenId), attempts: 0, reason: null },
  }
  holdings.put(holding)
  return holding
}

function open(bytesPerSecond: number): void {
  repairs = createRepairs({
    database,
    catalogue: {
      operators: () => new Map(),
      ranks: () => ({ operators: [], copies: 0 }),
      subject: () => undefined,
    },
    ipfs: Object.assign(Object.create(ipfs), {
      async pin(root: string) {
        await new Promise<void>((resolve) => begun.set(root, resolve))
        return ipfs.pin(root)
      },
    }),
    ...{ fetch, holdings, self, logger, offers: createOfferStore(database) },
    client: {} as never,
    receipts: createReceiptStore(database),
    rootOf: async (bytes) => blockRoot(bytes),
    room: {
      async freeBytes() {
        tries += 1
        return 10_000_000
      },
    },
    issueReceipt: createIssueReceipt({
      hotKey: new Wallet(`0x${'11'.repeat(32)}`),
      domain: { name: 'Hexachord', version: '1', chainId: 1, verifyingContract: self },
      operator: self,
      head: () => 7,
      now: () => clock,
    }),
    copiesOf: () => ({ holders: [], live: [] }),
    standingOf: () => ({ kind: 'duty', copies: 3, turn: 0 }),
    rebalanceBytesPerSecond: bytesPerSecond,
    ...{ leaseMs: 60_000, now: () => clock, random: () => 0, signal: ending.signal },
    onRepair: () => {},
    onNoRoom: () => {},
    onEnded: () => onEnded(),
  })
}

const isHeld = ({ subject, manifest }: Holding) => holdings.get(subject, manifest)?.state === 'held'

/** Waits until these, and no others, have begun. */
async function expectBegun(...expected: Holding[]): Promise<void> {
  const names = new Set(expected.map(({ manifest }) => manifest))
  while (begun.size < names.size) await new Promise((resolve) => setImmediate(resolve))
  expect(new Set(begun.keys())).toEqual(names)
}

async function finish(holding: Holding): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    onEnded = resolve
  })
  begun.get(holding.manifest)?.()
  await ended
  expect(isHeld(holding)).toBe(true)
}

describe('what others have enough copies of', () => {
  test('comes one at a time and at its rate, and what they lack passes it', async () => {
    const spares = [
      await missing(1n, urgencies.spare),
      await missing(2n, urgencies.spare),
      await missing(3n, urgencies.spare),
    ] as const
    const [first, second, third] = spares
    open((first.byteLength / msPerTrack) * 1000)

    repairs.start()
    await expectBegun(first)
    // While that is on its way, something is lost elsewhere.
    const urgent = await missing(4n, urgencies.urgent)
    repairs.start()
    await expectBegun(first, urgent)
    await finish(urgent)
    expect(isHeld(first)).toBe(false)
    await finish(first)

    // It came quicker than the rate allows: the next one waits, and what is urgent does not.
    repairs.start()
    expect([begun.size, repairs.nextAt()]).toEqual([2, clock + msPerTrack])
    clock += msPerTrack - 1
    const other = await missing(5n, urgencies.urgent)
    repairs.start()
    await expectBegun(first, urgent, other)
    await finish(other)
    repairs.start()
    expect(repairs.nextAt()).toBe(clock + 1)

    clock += 1
    repairs.start()
    await expectBegun(first, urgent, other, second)
    clock += 10 * msPerTrack
    // Late, and still one at a time.
    repairs.start()
    await finish(second)
    expect(tries).toBe(4)
    repairs.start()
    await expectBegun(first, urgent, other, second, third)
    await finish(third)
  })

  test('leaves two places to the rest; of those the most urgent come first', async () => {
    const spare = await missing(1n, urgencies.spare)
    open(1_000_000)
    repairs.start()
    await expectBegun(spare)
    const soon = [await missing(2n, urgencies.soon), await missing(3n, urgencies.soon)]
    const urgent = await missing(4n, urgencies.urgent)
    repairs.start()
    await expectBegun(spare, urgent, soon[0] ?? spare)
  })
})
