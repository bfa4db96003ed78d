import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import type { SubjectState } from '@hexachord/protocol/actions'
import { linkTo } from '@hexachord/protocol/cids'
import { encodeManifest, encodeRendition } from '@hexachord/protocol/manifests'
import { createEmbeddedIpfs, type IpfsNode } from '@hexachord/storage/ipfs'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type Budgets, budgetMigrations, createBudgets } from '../admission/index.ts'
import { anUpload, aTrack } from '../fixtures/an-upload.ts'
import {
  cancelUpload,
  createUploadStore,
  finishReceiving,
  leastSpentBytes,
  openSourceFiles,
  type SourceFiles,
  type Upload,
  type UploadStore,
  uploadMigrations,
} from '../uploads/index.ts'
import { createHousekeeper, type Housekeeper } from './housekeeper.ts'

const day = 86_400_000
/** Files of blocks are as old as the disk says, whatever a test's own clock does. */
const start = Date.now()
const logger = createLogger({ service: 'test', level: 'silent' })

let folder: string
let sources: string
let ipfs: IpfsNode
let uploads: UploadStore
let files: SourceFiles
let housekeeper: Housekeeper
let budgets: Budgets
let nowMs: number
let received: string[]
/** Uploads that somebody is working on. */
let worked: Set<string>
/** What the catalogue says of the subject of all uploads here. */
let published: SubjectState | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-housekeeping-'))
  sources = join(folder, 'sources')
  await mkdir(join(folder, 'ipfs'))
  nowMs = start
  received = []
  published = undefined
  const now = () => nowMs
  const database = openSqlite(':memory:', { migrations: [...uploadMigrations, ...budgetMigrations] })
  ipfs = await createEmbeddedIpfs({ directory: join(folder, 'ipfs'), bitswap: false, logger, now })
  uploads = createUploadStore(database, now)
  files = await openSourceFiles(sources, uploads)
  const allowance = { perDay: 1e9, perAccount: 1e9 }
  const allowances = { bytes: allowance, actions: allowance, gas: allowance }
  budgets = createBudgets({ database, allowances, now })
  housekeeper = createHousekeeper({
    ...{ uploads, files, sourceDirectory: sources, ipfs, logger, now },
    catalogue: { subject: () => published },
    takedowns: { trackDenied: () => undefined },
    finish: (id) =>
      finishReceiving(id, {
        ...{ uploads, files, now, onArrived: () => undefined },
        onReceived: (arrived) => received.push(arrived),
      }),
    cancel: (upload) => cancelUpload(upload, { uploads, files, budgets, now }),
    isWorkedOn: (id) => worked.has(id),
  })
  worked = new Set()
})
afterEach(async () => {
  await housekeeper.close()
  await ipfs.close()
  await rm(folder, { recursive: true })
})

/** A pinned track of one segment. */
async function storeTrack(text: string): Promise<{ manifest: string; segment: string }> {
  const bytes = new TextEncoder().encode(text)
  const segment = await ipfs.put(bytes, 'raw')
  const data = linkTo(segment)
  const rendition = encodeRendition({
    ...{ v: 1, kind: 'rendition', codec: 'fLaC', container: 'fmp4', channels: 2, sampleRateHz: 48_000 },
    ...{ averageBandwidth: 1, bandwidth: 1, timescale: 1_000, init: { data, byteLength: bytes.length } },
    segments: [[6_000, bytes.length, data]],
  })
  const renditions = [linkTo(await ipfs.put(rendition, 'dag-json'))]
  const manifest = await ipfs.put(
    encodeManifest({ v: 1, kind: 'track', durationMs: 6_000, renditions }),
    'dag-json',
  )
  await ipfs.pin(manifest)
  return { manifest, segment }
}

function ready(manifest: string, change: Partial<Upload> = {}): Upload {
  const track = { ...aTrack, manifest }
  const grant = { ...anUpload().grant, expiresAt: start + day }
  return anUpload({ state: 'ready', grant, track, playable: manifest, endedAtMs: start, ...change })
}

describe('housekeeping', () => {
  test('completes an upload whose last byte came just before a crash', async () => {
    uploads.add(anUpload({ byteLength: 5 }))
    await writeFile(files.pathOf('one'), '12345')
    await housekeeper.tidy()
    expect(received).toEqual(['one'])
    expect(uploads.get('one')).toMatchObject({ state: 'queued', receivedBytes: 5 })
  })

  test('leaves alone what is still being sent, and gives up what nobody goes on with', async () => {
    uploads.add(anUpload({ changedAtMs: nowMs }))
    await writeFile(files.pathOf('one'), '123')
    await housekeeper.tidy()
    expect(uploads.get('one')?.state).toBe('receiving')
    nowMs += day + 60_000
    await housekeeper.tidy()
    expect(uploads.get('one')?.state).toBe('cancelled')
    expect(await readdir(sources)).toEqual([])
  })

  test('gives the budget back for what was promised and never came', async () => {
    const [account, byteLength] = [anUpload().account, 50_000_000]
    // Budgets are by days: what is spent just before midnight would not be of the day that looks at it.
    const morning = Math.ceil(start / day) * day
    nowMs = morning
    for (const id of ['empty', 'half']) {
      budgets.spend(account, { bytes: byteLength })
      uploads.add(anUpload({ id, byteLength, createdAtMs: morning, changedAtMs: morning }))
    }
    await writeFile(files.pathOf('half'), Buffer.alloc(10_000_000))
    nowMs += 20 * 60_000
    await housekeeper.tidy()
    expect([uploads.get('empty')?.state, uploads.get('half')?.state]).toEqual(['cancelled', 'receiving'])
    expect(budgets.spentToday('bytes')).toBe(byteLength + leastSpentBytes)
    nowMs += day
    await housekeeper.tidy()
    budgets.spend(account, { bytes: 0 })
    nowMs = morning
    expect(uploads.get('half')?.state).toBe('cancelled')
    expect(budgets.spentToday('bytes')).toBe(10_000_000 + leastSpentBytes)
  })

  test.each(['processing', 'replicating', 'ready', 'failed'] as const)(
    'lets go of everything of an upload that was cancelled while %s, once nobody works on it',
    async (state) => {
      const { manifest, segment } = await storeTrack('a')
      uploads.add(ready(manifest, { state }))
      await writeFile(files.pathOf('one'), 'song')
      const upload = uploads.get('one')
      if (upload === undefined) throw new Error('it was just added')
      await cancelUpload(upload, { uploads, files, budgets, now: () => nowMs })
      worked.add('one')
      await housekeeper.tidy()
      expect(await ipfs.isPinned(manifest)).toBe(true)
      worked.delete('one')
      nowMs += 2 * 60 * 60_000
      await housekeeper.tidy()
      expect([await ipfs.isPinned(manifest), await ipfs.has(segment)]).toEqual([false, false])
      expect(await readdir(sources)).toEqual([])
    },
  )

  test('keeps the blocks of what is being made, however long that takes', async () => {
    const cid = await ipfs.put(new TextEncoder().encode('a segment'), 'raw')
    uploads.add(anUpload({ state: 'processing' }))
    const root = { root: `0x${'2'.repeat(64)}`, leafCount: 1, byteLength: 9 } as const
    uploads.change('one', () => ({}), [{ cid, byteLength: 9, root }])
    nowMs += 3 * day
    await housekeeper.tidy()
    expect(await ipfs.has(cid)).toBe(true)
    uploads.apply('one', 'cancelled')
    nowMs += 3 * day
    await housekeeper.tidy()
    expect(await ipfs.has(cid)).toBe(false)
  })

  test('deletes the source some time after the track is made, and files of nobody', async () => {
    const { manifest } = await storeTrack('a')
    uploads.add(ready(manifest))
    await writeFile(files.pathOf('one'), 'song')
    await writeFile(files.pathOf('nobody'), 'left over')
    await housekeeper.tidy()
    expect(await readdir(sources)).toEqual(['one'])
    nowMs += day
    await housekeeper.tidy()
    expect(await readdir(sources)).toEqual([])
    expect(uploads.get('one')).toMatchObject({ state: 'ready', sourceGone: true })
  })

  test('lets go of a track that was never published, when it cannot be any more', async () => {
    const { manifest, segment } = await storeTrack('a')
    uploads.add(ready(manifest))
    nowMs = start + day - 1
    await housekeeper.tidy()
    expect(await ipfs.isPinned(manifest)).toBe(true)
    nowMs = start + 2 * day
    await housekeeper.tidy()
    expect(await ipfs.isPinned(manifest)).toBe(false)
    expect(await ipfs.has(segment)).toBe(false)
    expect(uploads.byManifest(manifest)).toEqual([])
  })

  test('keeps a published track for ever, and lets go of one that was replaced', async () => {
    const [old, current] = [await storeTrack('old'), await storeTrack('new')]
    uploads.add(ready(old.manifest))
    uploads.add(ready(current.manifest, { id: 'two' }))
    published = {
      ...{ kind: 'track', author: anUpload().account, digest: `0x${'1'.repeat(64)}`, deleted: false },
      ...{ createdAtMs: 1, updatedAtMs: 1, block: 1, logIndex: 0, body: { manifest: current.manifest } },
    }
    nowMs = start + 300 * day
    await housekeeper.tidy()
    expect(await ipfs.isPinned(current.manifest)).toBe(true)
    expect(await ipfs.isPinned(old.manifest)).toBe(false)
  })

  test('keeps the blocks of a file that was uploaded twice as long as one upload needs them', async () => {
    const { manifest, segment } = await storeTrack('a')
    uploads.add(ready(manifest))
    uploads.add(ready(manifest, { id: 'two', grant: { ...anUpload().grant, expiresAt: start + 10 * day } }))
    nowMs = start + 2 * day
    await housekeeper.tidy()
    expect(uploads.get('one')?.released).toBe(true)
    expect(await ipfs.has(segment)).toBe(true)
    nowMs = start + 11 * day
    await housekeeper.tidy()
    expect(await ipfs.has(segment)).toBe(false)
  })

  test('forgets an upload in the end', async () => {
    uploads.add(anUpload({ state: 'failed', endedAtMs: start }))
    nowMs = start + 40 * day
    await housekeeper.tidy()
    await housekeeper.tidy()
    expect(uploads.get('one')).toBeUndefined()
  })
})
