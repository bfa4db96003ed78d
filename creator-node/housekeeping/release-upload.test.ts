import { describe, expect, test } from '@jest/globals'
import { anUpload, aTrack } from '../fixtures/an-upload.ts'
import {
  abandonedAfterMs,
  emptyAfterMs,
  isAbandoned,
  recordMs,
  replacedGraceMs,
  rubbishOf,
  sourceGraceMs,
} from './release-upload.ts'

const ready = anUpload({ state: 'ready', track: aTrack, endedAtMs: 0 })
// The grant of the sample upload ends at 1,000,000 ms.
const beforeGrantEnds = 999_999
const afterGrantEnds = 1_000_001

describe('of an upload', () => {
  test('nothing is rubbish while it is being worked on', () => {
    for (const state of ['receiving', 'queued', 'processing', 'replicating'] as const) {
      expect(rubbishOf(anUpload({ state }), false, 1e15)).toEqual({
        source: false,
        blocks: false,
        record: false,
      })
    }
  })

  test('the source goes some time after the end', () => {
    expect(rubbishOf(ready, false, sourceGraceMs).source).toBe(false)
    expect(rubbishOf(ready, false, sourceGraceMs + 1).source).toBe(true)
  })

  test('the blocks stay while it may be published, and as long as it is', () => {
    expect(rubbishOf(ready, false, beforeGrantEnds).blocks).toBe(false)
    expect(rubbishOf(ready, false, afterGrantEnds).blocks).toBe(true)
    expect(rubbishOf(ready, true, 1e15).blocks).toBe(false)
  })

  test('the blocks stay for a while after it was replaced or deleted: it is still being played', () => {
    const replacedAtMs = 5_000_000
    const after = (ms: number) => rubbishOf(ready, false, replacedAtMs + ms, replacedAtMs).blocks
    expect([after(0), after(replacedGraceMs), after(replacedGraceMs + 1)]).toEqual([false, false, true])
  })

  test('the blocks of one that failed or was cancelled go at once', () => {
    expect(rubbishOf(anUpload({ state: 'failed' }), false, 2).blocks).toBe(true)
    expect(rubbishOf(anUpload({ state: 'cancelled' }), false, 2).blocks).toBe(true)
  })

  test('the record goes last', () => {
    const empty = anUpload({ state: 'failed', released: true, sourceGone: true, endedAtMs: 0 })
    expect(rubbishOf(empty, false, recordMs).record).toBe(false)
    expect(rubbishOf(empty, false, recordMs + 1)).toEqual({ source: false, blocks: false, record: true })
  })
})

describe('an upload that nobody goes on with', () => {
  const begun = { byteLength: 10, changedAtMs: 0 }
  const of = (change: object) => anUpload({ createdAtMs: 0, changedAtMs: 0, ...change })

  test('is abandoned a day after its last byte', () => {
    expect(isAbandoned(of({}), abandonedAfterMs, begun)).toBe(false)
    expect(isAbandoned(of({}), abandonedAfterMs + 1, begun)).toBe(true)
    expect(isAbandoned(of({}), abandonedAfterMs + 1, { ...begun, changedAtMs: 2 })).toBe(false)
    expect(isAbandoned(of({ state: 'queued' }), 1e15, begun)).toBe(false)
  })

  test('is abandoned soon when not one byte came', () => {
    const empty = { byteLength: 0, changedAtMs: 0 }
    expect(isAbandoned(of({}), emptyAfterMs, empty)).toBe(false)
    expect(isAbandoned(of({}), emptyAfterMs + 1, empty)).toBe(true)
  })
})
