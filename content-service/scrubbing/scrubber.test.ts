import { createLogger } from '@hexachord/platform/process'
import { openSqlite, type Sqlite } from '@hexachord/platform/sqlite'
import { type Subject, subjectOf } from '@hexachord/protocol/names'
import { BlockNotFound, KuboUnavailable } from '@hexachord/storage/ipfs'
import { makeTestTrack, type TestTrack } from '@hexachord/storage/tracks/fixtures'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createHoldingStore, type HoldingStore, holdingMigrations } from '../duty/index.ts'
import { eventually } from '../fixtures/eventually.ts'
import { createScrubber, createScrubStore, type ScrubStore, scrubMigrations, watchReads } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const away = () => new KuboUnavailable('http://127.0.0.1:5001', 'ECONNREFUSED')

let database: Sqlite
let holdings: HoldingStore
let store: ScrubStore
let blocks: Map<string, Uint8Array>
let isAway: boolean
let checks: number
let damaged: Subject[]
let closing: (() => Promise<void>)[]
beforeEach(() => {
  database = openSqlite(':memory:', { migrations: [...holdingMigrations, ...scrubMigrations] })
  holdings = createHoldingStore(database)
  store = createScrubStore(database)
  blocks = new Map()
  isAway = false
  checks = 0
  damaged = []
  closing = []
})
afterEach(async () => {
  for (const close of closing) await close()
  database.close()
})

/** Blocks as an IPFS node on a Kubo has them, which may be away. */
const ipfs = {
  async get(cid: string) {
    if (isAway) throw away()
    const bytes = blocks.get(cid)
    if (bytes === undefined) throw new BlockNotFound(cid)
    return bytes
  },
  async verify(cid: string) {
    if (isAway) throw away()
    return blocks.has(cid) ? ('ok' as const) : ('missing' as const)
  },
  async check() {
    checks += 1
    if (isAway) throw away()
  },
  size: async (cid: string) => (await ipfs.get(cid)).length,
}

async function hold(tokenId: bigint): Promise<TestTrack & { subject: Subject }> {
  const track = await makeTestTrack({ segments: 1, segmentBytes: 100 })
  for (const { cid, bytes } of track.blocks) blocks.set(cid, bytes)
  const subject = subjectOf(`0x${'a1'.repeat(20)}`, tokenId)
  holdings.put({
    ...{ subject, manifest: track.manifest, byteLength: track.byteLength, state: 'held', extra: false },
    ...{ urgency: 0, dueAt: 0, attempts: 0, reason: null },
  })
  return { ...track, subject }
}

const onDamage = ({ subject }: { subject: Subject }) => damaged.push(subject)

/** Scrubs until the end of the test. @returns whom it finds whole, as it goes */
function scrub(): Subject[] {
  const whole: Subject[] = []
  const { close } = createScrubber({
    ...{ ipfs, holdings, store, onDamage, logger, now: Date.now },
    onWhole: async ({ subject }) => void whole.push(subject),
    pace: { passEveryMs: 10, idleMs: 5, bytesPerSecond: Number.POSITIVE_INFINITY },
  })
  closing.push(close)
  return whole
}

describe('the scrub', () => {
  test('notes a track of which a block is gone, and reads the others', async () => {
    const [whole, broken] = [await hold(1n), await hold(2n)]
    blocks.delete(broken.blocks[0]?.cid ?? '')
    const found = scrub()
    await eventually(async () => expect(found).toContain(whole.subject))
    await eventually(async () => expect(damaged).toEqual([broken.subject]))
    expect(holdings.get(broken.subject, broken.manifest)?.state).toBe('missing')
    expect(holdings.get(whole.subject, whole.manifest)?.state).toBe('held')
  })

  test('leaves everything as it is while Kubo is away, and goes on when it is back', async () => {
    const tracks = [await hold(1n), await hold(2n)]
    isAway = true
    const whole = scrub()
    await eventually(async () => expect(checks).toBeGreaterThan(3))
    expect([damaged, holdings.count('held')]).toEqual([[], 2])
    isAway = false
    await eventually(async () => expect(new Set(whole)).toEqual(new Set(tracks.map((one) => one.subject))))
    await eventually(async () => expect(store.last()).toMatchObject({ corrupt: 0, missing: 0 }))
    expect([damaged, holdings.count('held')]).toEqual([[], 2])
  })
})

describe('a damaged block that a reader met', () => {
  test('makes its track missing, and none whose manifest cannot be read just then', async () => {
    const [other, broken] = [await hold(1n), await hold(2n)]
    const lost = broken.blocks[0]?.cid ?? ''
    const reads = watchReads({
      ipfs: {
        ...ipfs,
        async get(cid) {
          if (cid === lost) throw new BlockNotFound(cid, { wasDamaged: true })
          if (cid === other.manifest) throw away()
          return ipfs.get(cid)
        },
      },
      ...{ holdings, onDamage, logger, now: Date.now },
    })
    closing.push(reads.close)
    await expect(reads.get(lost)).rejects.toBeInstanceOf(BlockNotFound)
    await eventually(async () => expect(damaged).toEqual([broken.subject]))
    await reads.close()
    expect(holdings.get(other.subject, other.manifest)?.state).toBe('held')
    expect(damaged).toEqual([broken.subject])
  })
})
