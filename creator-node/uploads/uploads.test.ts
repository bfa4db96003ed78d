import { openSqlite } from '@hexachord/platform/sqlite'
import { uploadAnswerSchema } from '@hexachord/protocol/rest'
import { StorageFull } from '@hexachord/storage/ipfs'
import { beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anUpload, aPlan, aTrack, author } from '../fixtures/an-upload.ts'
import { createUploadChanges } from './changes.ts'
import { isDiskFull } from './free-space.ts'
import { hasEnded, nextState, type UploadEvent, type UploadState, WrongState } from './states.ts'
import { answerOf } from './upload.ts'
import { createUploadStore, type UploadBlock, type UploadStore, uploadMigrations } from './upload-store.ts'

let uploads: UploadStore
let atMs: number
beforeEach(() => {
  atMs = 5_000
  uploads = createUploadStore(openSqlite(':memory:', { migrations: uploadMigrations }), () => atMs)
})

const block = (cid: string): UploadBlock => ({
  cid,
  byteLength: 10,
  root: { root: `0x${'2'.repeat(64)}`, leafCount: 1, byteLength: 10 },
})

describe('the state of an upload', () => {
  test('leads from receiving to ready', () => {
    const events: UploadEvent[] = ['received', 'started', 'rendered', 'replicated']
    const states: UploadState[] = ['receiving']
    for (const event of events) states.push(nextState(states.at(-1) ?? 'failed', event))
    expect(states).toEqual(['receiving', 'queued', 'processing', 'replicating', 'ready'])
  })

  test('stays processing when the work begins once more', () => {
    expect(nextState('processing', 'started')).toBe('processing')
  })

  test.each<[UploadState, UploadEvent]>([
    ['receiving', 'rendered'],
    ['ready', 'failed'],
    ['ready', 'replicated'],
    ['cancelled', 'rendered'],
    ['cancelled', 'cancelled'],
  ])('that is %s is not moved by %s', (state, event) => {
    expect(() => nextState(state, event)).toThrow(WrongState)
  })

  test('never comes back from an end to work, whatever happens', () => {
    const events = fc.array(
      fc.constantFrom<UploadEvent>('received', 'started', 'rendered', 'replicated', 'failed', 'cancelled'),
    )
    fc.assert(
      fc.property(events, (happened) => {
        let state: UploadState = 'receiving'
        let ended = false
        for (const event of happened) {
          try {
            state = nextState(state, event)
          } catch (error) {
            expect(error).toBeInstanceOf(WrongState)
          }
          ended ||= hasEnded(state)
          expect(hasEnded(state)).toBe(ended)
        }
      }),
    )
  })
})

describe('the store', () => {
  test('counts each change and remembers when it was', () => {
    uploads.add(anUpload())
    atMs = 6_000
    uploads.change('one', () => ({ receivedBytes: 400 }))
    uploads.apply('one', 'received', () => ({ receivedBytes: 1_000 }))
    expect(uploads.get('one')).toMatchObject({
      version: 3,
      state: 'queued',
      receivedBytes: 1_000,
      changedAtMs: 6_000,
    })
  })

  test('leaves alone what a change leaves alone', () => {
    uploads.add(anUpload())
    const told: string[] = []
    uploads.onChange((id) => told.push(id))
    uploads.change('one', () => undefined)
    expect(uploads.get('one')).toEqual(anUpload())
  })

  test('does nothing of a change that the state refuses', () => {
    uploads.add(anUpload({ state: 'cancelled' }))
    expect(() => uploads.apply('one', 'rendered', () => ({ playable: 'x' }))).toThrow(WrongState)
    expect(uploads.get('one')).toEqual(anUpload({ state: 'cancelled' }))
  })

  test('lists blocks once, in the order in which they came', () => {
    uploads.add(anUpload())
    uploads.change('one', () => ({}), [block('a'), block('b')])
    uploads.change('one', () => ({}), [block('b'), block('c'), block('a'), block('d')])
    expect(uploads.blocks('one', 0, 10).map(({ cid }) => cid)).toEqual(['a', 'b', 'c', 'd'])
    expect(uploads.blocks('one', 1, 2).map(({ cid }) => cid)).toEqual(['b', 'c'])
    expect(uploads.blockCount('one')).toBe(4)
    expect(uploads.blocks('one', 0, 1)[0]).toEqual(block('a'))
  })

  test('knows what it has promised room for', () => {
    uploads.add(anUpload({ byteLength: 1_000, receivedBytes: 300 }))
    uploads.add(anUpload({ id: 'two', byteLength: 500 }))
    uploads.add(anUpload({ id: 'three', byteLength: 500, state: 'queued' }))
    expect(uploads.outstandingBytes()).toBe(1_200)
  })

  test('finds uploads by state and by what is held of them', () => {
    uploads.add(anUpload({ state: 'ready', track: aTrack }))
    uploads.add(anUpload({ id: 'two', state: 'ready', track: aTrack, released: true }))
    expect(uploads.inState('receiving', 'ready').map(({ id }) => id)).toEqual(['one', 'two'])
    expect(uploads.byManifest(aTrack.manifest).map(({ id }) => id)).toEqual(['one'])
    expect(uploads.countByState()).toEqual({ ready: 2 })
    expect(uploads.page('one', 10).map(({ id }) => id)).toEqual(['two'])
  })

  test('counts what is under way, of all and of each account', () => {
    const other = `0x${'b'.repeat(40)}` as const
    for (const [n, state] of (['receiving', 'queued', 'processing', 'replicating'] as const).entries()) {
      uploads.add(anUpload({ id: `${n}`, state }))
    }
    uploads.add(anUpload({ id: 'ended', state: 'ready' }))
    uploads.add(anUpload({ id: 'other', account: other }))
    expect([uploads.countOpen(), uploads.countOpen(author), uploads.countOpen(other)]).toEqual([5, 4, 1])
    expect(uploads.queue()).toEqual([{ id: '1', account: author }])
  })

  test('finds complete tracks by the length of their source, as long as they are held', () => {
    uploads.add(anUpload({ id: 'making', state: 'processing' }))
    uploads.add(anUpload({ id: 'made', state: 'ready', track: aTrack }))
    uploads.add(anUpload({ id: 'released', state: 'ready', track: aTrack, released: true }))
    uploads.add(anUpload({ id: 'longer', state: 'ready', track: aTrack, byteLength: 1_001 }))
    expect(uploads.madeOf(1_000).map(({ id }) => id)).toEqual(['made'])
  })

  test('forgets an upload with its blocks', () => {
    uploads.add(anUpload())
    uploads.change('one', () => ({}), [block('a')])
    uploads.remove('one')
    expect([uploads.get('one'), uploads.blockCount('one')]).toEqual([undefined, 0])
  })
})

describe('progress that is only noted', () => {
  let database: ReturnType<typeof openSqlite>
  let told: string[]
  beforeEach(() => {
    database = openSqlite(':memory:', { migrations: uploadMigrations })
    uploads = createUploadStore(database, () => atMs)
    uploads.add(anUpload())
    told = []
    uploads.onChange((id) => told.push(id))
  })
  const written = () => createUploadStore(database, () => atMs).get('one')

  test('is seen at once, and written a little later', () => {
    uploads.note('one', () => ({ receivedBytes: 10 }))
    uploads.note('one', () => ({ receivedBytes: 20 }))
    expect(uploads.get('one')).toMatchObject({ receivedBytes: 20, version: 3 })
    expect(told).toEqual(['one', 'one'])
    expect(written()).toMatchObject({ receivedBytes: 0, version: 1 })
    uploads.close()
    expect(written()).toEqual(uploads.get('one'))
  })

  test('is written with the next change, which it does not undo', () => {
    uploads.note('one', () => ({ receivedBytes: 10 }))
    uploads.change('one', () => ({ filetype: 'audio/flac' }))
    expect(written()).toMatchObject({ receivedBytes: 10, filetype: 'audio/flac', version: 3 })
    uploads.apply('one', 'cancelled')
    uploads.close()
    expect(written()).toMatchObject({ state: 'cancelled', version: 4 })
  })

  test('is nothing where nothing is new, or nobody is there', () => {
    uploads.note('one', () => undefined)
    uploads.note('two', () => ({ receivedBytes: 1 }))
    expect(told).toEqual([])
  })

  test('stays what it was when a change comes to nothing', () => {
    uploads.note('one', () => ({ receivedBytes: 10 }))
    uploads.change('one', () => undefined)
    expect(() => uploads.apply('one', 'rendered')).toThrow(WrongState)
    expect(uploads.get('one')?.receivedBytes).toBe(10)
  })
})

describe('a full disk', () => {
  test('is recognised in whatever it makes fail', () => {
    const ofFfmpeg = Object.assign(new Error('failed'), { stderr: 'x: No space left on device' })
    const full = [
      new StorageFull(),
      Object.assign(new Error('write'), { code: 'ENOSPC' }),
      Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 }),
      new Error('the audio cannot be decoded', { cause: ofFfmpeg }),
    ]
    expect(full.map(isDiskFull)).toEqual([true, true, true, true])
    expect([new Error('other'), undefined, 'ENOSPC'].map(isDiskFull)).toEqual([false, false, false])
  })
})

describe('whoever waits for a change', () => {
  test('is told of the next one, or when time is up, or when it must go', async () => {
    uploads.add(anUpload())
    const changes = createUploadChanges(uploads)
    const abort = new AbortController()
    const waiting = changes.next('one', 60_000, abort.signal)
    uploads.change('one', () => ({}))
    await waiting
    await changes.next('one', 1, abort.signal)
    const last = changes.next('one', 60_000, abort.signal)
    abort.abort()
    await last
    await changes.next('one', 60_000, abort.signal)
    changes.close()
  })
})

describe('the answer', () => {
  test('has the form that clients know, in every state', () => {
    expect(uploadAnswerSchema.parse(answerOf(anUpload(), { blocks: 0 }))).toMatchObject({
      state: 'receiving',
      playable: null,
    })
    const ready = anUpload({
      ...{ state: 'ready', copies: 3, track: aTrack, playable: aTrack.manifest },
      ...{ receivedAtMs: 100, renderedAtMs: 400, endedAtMs: 1_000, sha256: `0x${'3'.repeat(64)}` },
      tags: { title: 'Song' },
      source: {
        ...{ codec: 'flac', profile: undefined, sampleRateHz: 44_100, channels: 2, lossless: true },
        ...{ bitsPerSample: 16, bitRate: 900_000, durationMs: 20_000, durationStated: true },
      },
      renditions: [{ plan: aPlan, state: 'done', doneMs: 20_000, segments: 4 }],
      replicas: [
        { operator: `0x${'b'.repeat(40)}`, endpoint: 'https://b.example', state: 'held', blocks: 4 },
      ],
    })
    expect(uploadAnswerSchema.parse(answerOf(ready, { blocks: 10 }))).toMatchObject({
      ms: { transcode: 300, replicate: 600 },
      renditions: [{ name: 'aac-160', state: 'done', doneMs: 20_000, segments: 4 }],
      source: { codec: 'flac', durationMs: 20_000 },
      receipts: [],
    })
  })

  test('says why an upload failed, in words and for programs', () => {
    const failure = { problem: 'notAudio', reason: 'the file is not audio' }
    expect(
      uploadAnswerSchema.parse(answerOf(anUpload({ state: 'failed', failure }), { blocks: 0 })),
    ).toMatchObject(failure)
  })
})
