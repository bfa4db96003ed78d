import { subjectOf } from '@hexachord/protocol/names'
import { expect, test } from '@jest/globals'
import { createRepertoire, type Work } from './repertoire.ts'

const author = `0x${'ab'.repeat(20)}` as const
const work = (number: bigint, manifest: string, byteLength: number): Work => ({
  subject: subjectOf(author, number),
  manifest,
  title: manifest,
  byteLength,
})

test('a repertoire knows what is out, what it weighs, and what was lately taken back', () => {
  let nowMs = 1_000
  const repertoire = createRepertoire(() => nowMs)
  const [first, second] = [work(1n, 'one', 100), work(2n, 'two', 10)]
  repertoire.published(first)
  repertoire.published(second)
  // A new name for the same audio weighs nothing.
  repertoire.published({ ...first, title: 'renamed' })
  expect(repertoire.live().map(({ title }) => title)).toEqual(['renamed', 'two'])
  expect([repertoire.liveBytes(), repertoire.totalBytes()]).toEqual([110, 110])

  nowMs = 2_000
  repertoire.published(work(1n, 'new audio', 70))
  expect([repertoire.liveBytes(), repertoire.totalBytes(), repertoire.goneBytes(0)]).toEqual([80, 180, 100])

  nowMs = 3_000
  repertoire.withdrawing(second.subject)
  expect(repertoire.isLive(second.subject)).toBe(false)
  expect(repertoire.live()).toHaveLength(1)
  expect(repertoire.liveBytes()).toBe(80)
  repertoire.unpublished(second.subject)
  expect([repertoire.liveBytes(), repertoire.goneBytes(0), repertoire.goneBytes(2_500)]).toEqual([
    70, 110, 10,
  ])
})
