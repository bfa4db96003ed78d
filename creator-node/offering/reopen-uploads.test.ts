import { openSqlite } from '@hexachord/platform/sqlite'
import type { Operator } from '@hexachord/protocol/operators'
import type { Receipt } from '@hexachord/protocol/receipts'
import { eventually } from '@hexachord/scripts/testing'
import type { CatalogueChange } from '@hexachord/storage/catalogue'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { anUpload, aTrack } from '../fixtures/an-upload.ts'
import { createUploadStore, type Upload, type UploadReplica, uploadMigrations } from '../uploads/index.ts'
import { withoutOutdated } from './counting-receipts.ts'
import { reopenUploads } from './reopen-uploads.ts'

function operator(letter: string, change: Partial<Operator> = {}): Operator {
  return {
    ...{ operator: `0x${letter.repeat(40)}`, controller: `0x${letter.repeat(40)}` },
    ...{ endpoint: `https://${letter}.example`, peerId: '0x00', hotKey: `0x${letter.repeat(40)}` },
    ...{ capacityBytes: 1n, exiting: false, stakeWei: 1n, active: true },
    ...change,
  }
}

const [a, b, c, d] = [operator('a'), operator('b'), operator('c'), operator('d')]
const nowMs = 1_000_000

function held({ operator, endpoint, hotKey }: Operator, validUntil = 2_000): UploadReplica {
  const receipt: Receipt = {
    ...{ operator, subject: anUpload().subject, manifest: aTrack.manifest, blockNumber: 1, validUntil },
    ...{ storageRoot: aTrack.storageRoot, leafCount: aTrack.leafCount, byteLength: aTrack.byteLength },
    signature: '0x',
  }
  const offer = `0x${'1'.repeat(64)}` as const
  return { operator, endpoint, state: 'held', blocks: 3, offer, receipt, signedBy: hotKey }
}

/** Of operators all of whom are accepted. */
const catalogueOf = (operators: Operator[]) => ({
  accepted: () => ({ operators, copies: 3 }),
  operators: () => new Map(operators.map((one) => [one.operator, one])),
})

const upload = anUpload({
  ...{ state: 'ready', track: aTrack, playable: aTrack.manifest, copies: 3, endedAtMs: 5 },
  replicas: [held(a), held(b), held(c)],
})

describe('receipts that were good', () => {
  const outdated = (operators: Operator[], of: Upload = upload) =>
    withoutOutdated(of, { catalogue: catalogueOf(operators), nowMs })?.filter(({ state }) => state !== 'held')

  test('stay as long as they count', () => {
    expect(outdated([d, c, b, a])).toBeUndefined()
  })

  test.each<[string, Operator[], Partial<Upload>, string]>([
    ['of an operator that has left', [a, b, d], {}, 'not among the operators'],
    ['that have ended', [a, b, c], { replicas: [held(a), held(b), held(c, 1_000)] }, 'not valid any more'],
    ['of a key that was exchanged', [a, b, { ...c, hotKey: d.hotKey }], {}, 'another key'],
    ['of a second holder of one controller', [a, b, { ...c, controller: a.controller }], {}, 'controller'],
  ])('%s are taken back, and nothing else', (_, operators, change, reason) => {
    const [gone, ...others] = outdated(operators, { ...upload, ...change }) ?? []
    expect(others).toEqual([])
    expect(gone).toEqual({
      ...{ operator: c.operator, endpoint: c.endpoint, state: 'failed', blocks: 3 },
      reason: expect.stringContaining(reason),
    })
  })

  test('stay where nobody could take the place of those who have left', () => {
    expect(outdated([])).toBeUndefined()
  })
})

describe('an upload that waits to be published', () => {
  let accepted: Operator[]
  let published: { manifest: string; deleted: boolean } | undefined
  let tell: (change: Partial<CatalogueChange>) => void
  let replicated: string[]
  let epoch: number
  let close: () => void
  let uploads: ReturnType<typeof createUploadStore>

  beforeEach(() => {
    accepted = [a, b, c]
    published = undefined
    replicated = []
    epoch = 1
    uploads = createUploadStore(openSqlite(':memory:', { migrations: uploadMigrations }), () => nowMs)
    uploads.add(upload)
  })
  afterEach(() => close())

  function start(): void {
    close = reopenUploads({
      epochLookMs: 5,
      uploads,
      replicate: (id) => replicated.push(id),
      now: () => nowMs,
      catalogue: {
        accepted: () => ({ operators: accepted, copies: 3 }),
        operators: () => new Map(),
        epoch: () => epoch,
        subject: () =>
          published && {
            ...{ kind: 'track', author: upload.account, deleted: published.deleted },
            ...{ digest: `0x${'2'.repeat(64)}`, createdAtMs: 1, updatedAtMs: 1, block: 1, logIndex: 0 },
            body: { manifest: published.manifest },
          },
        onChange(listener) {
          tell = (change) =>
            listener({
              ...{ subjects: [], actions: [], operators: false, ranks: false, reorganised: false },
              ...change,
            })
          return () => {
            tell = () => undefined
          }
        },
      },
    })
  }

  test('is replicated anew when one who signed for it leaves', () => {
    start()
    accepted = [a, b, d]
    tell({ subjects: [upload.subject] })
    expect(uploads.get('one')?.state).toBe('ready')
    tell({ operators: true })
    expect(uploads.get('one')).toMatchObject({
      state: 'replicating',
      replicas: [{ state: 'held' }, { state: 'held' }, { state: 'failed' }],
    })
    expect(replicated).toEqual(['one'])
  })

  test('is replicated anew when an epoch begins in which one of them does not count any more', async () => {
    start()
    accepted = [a, b, d]
    epoch = 2
    await eventually(() => replicated.length > 0, { describe: 'the upload is replicated', deadlineMs: 2_000 })
    expect(uploads.get('one')?.state).toBe('replicating')
  })

  test('is looked at when the node starts, for whoever left meanwhile', () => {
    accepted = [a, d]
    start()
    expect(replicated).toEqual(['one'])
  })

  test.each([
    ['was published', { manifest: aTrack.manifest, deleted: false }],
    ['was deleted', { manifest: 'another', deleted: true }],
  ])('is left alone when it %s', (_, state) => {
    published = state
    accepted = [a, b, d]
    start()
    expect(replicated).toEqual([])
  })

  test('is not looked at any more after the end', () => {
    start()
    close()
    accepted = [a, b, d]
    tell({ operators: true })
    expect(replicated).toEqual([])
  })
})
