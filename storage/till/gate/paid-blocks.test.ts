import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parseCid } from '@hexachord/protocol/cids'
import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { subjectOf } from '@hexachord/protocol/names'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeTestTrack } from '../../tracks/fixtures/index.ts'
import { openPaidBlocks, paidBlocksQuery } from './paid-blocks.ts'

const [one, two] = [subjectOf(`0x${'0a'.repeat(20)}`, 1n), subjectOf(`0x${'0a'.repeat(20)}`, 2n)]

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'paid-blocks-'))
})
afterEach(() => rm(directory, { recursive: true }))
const path = () => join(directory, 'paid-blocks.sqlite')

/** A track of these blocks, six seconds each, and of parts of an original file. */
function trackOf(
  manifest: string,
  segments: readonly string[],
  original: readonly string[] = [],
): LoadedTrack {
  const rendition = { timescale: 1, segments: segments.map((cid) => [6, 100, { '/': cid }]) }
  const file = { blocks: original.map((cid) => [100, { '/': cid }]) }
  return { cid: manifest, manifest: {}, renditions: [rendition], original: file } as unknown as LoadedTrack
}

describe('the index of paid blocks', () => {
  test('knows the units of blocks, of each track that has them, through restarts', async () => {
    const [a = '', b = '', c = '', d = ''] = (await makeTestTrack()).blocks.map(({ cid }) => cid)
    const first = openPaidBlocks(path())
    expect([first.isEmpty(), first.of(a)]).toEqual([true, []])
    first.add(one, trackOf('m1', [a, b], [d]))
    first.add(two, trackOf('m2', [c, a]))
    first.close()
    const paid = openPaidBlocks(path())
    expect(paid.of(a)).toMatchObject([
      { subject: one, unit: 0 },
      { subject: two, unit: 1 },
    ])
    expect(paid.of(d)).toMatchObject([{ subject: one, unit: undefined }])
    expect([paid.has(one, 'm1'), paid.has(one, 'm2'), paid.of('no CID')]).toEqual([true, false, []])
    paid.add(one, trackOf('m3', [b]))
    expect([paid.of(b).length, paid.of(a).length, paid.of(d).length]).toEqual([1, 1, 0])
    paid.remove(one)
    paid.remove(two)
    expect([paid.isEmpty(), paid.of(a)]).toEqual([true, []])
    paid.close()
  })

  test('knows halves of units, and sells no block of a premium track', async () => {
    const [a = '', b = '', c = ''] = (await makeTestTrack()).blocks.map(({ cid }) => cid)
    const rendition = (seconds: number, ...cids: string[]) => ({
      timescale: 1,
      segments: cids.map((cid) => [seconds, 100, { '/': cid }]),
    })
    const track = { cid: 'm1', manifest: {}, renditions: [rendition(3, a, b), rendition(6, c)] }
    const paid = openPaidBlocks(path())
    paid.add(one, track as unknown as LoadedTrack)
    expect([a, b, c].map((cid) => paid.of(cid)[0])).toMatchObject([
      { unit: 0, part: 0.5 },
      { unit: 0, part: 0.5 },
      { unit: 0, part: 1 },
    ])
    expect([paid.wholeOf(one), paid.wholeOf(two)]).toEqual([{ manifest: 'm1', units: 1 }, undefined])
    paid.add(one, { ...track, manifest: { keyHolders: [two] } } as unknown as LoadedTrack)
    expect([paid.has(one, 'm1'), paid.of(a), paid.wholeOf(one)]).toEqual([true, [], undefined])
    paid.close()
  })

  test('finds a block without looking at others', async () => {
    openPaidBlocks(path()).close()
    const database = openSqlite(path(), { isPart: true })
    const [{ cid } = { cid: '' }] = (await makeTestTrack()).blocks
    const plan = database.all<{ detail: string }>(
      `EXPLAIN QUERY PLAN ${paidBlocksQuery}`,
      parseCid(cid).digest,
    )
    const details = plan.map(({ detail }) => detail).join('\n')
    expect(details).toContain('SEARCH paid_block USING PRIMARY KEY (digest=?)')
    expect(details).not.toContain('SCAN')
    database.close()
  })
})
