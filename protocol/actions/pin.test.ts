import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { subjectOf, userSubject } from '../names/index.ts'
import { author, place, stranger, track } from './fixtures/index.ts'
import { indexWithTrack, textOf } from './fixtures/subject-suite.ts'
import { clockToleranceMs, kinds, type Pin, pinKey } from './index.ts'

const { number } = kinds.pin
const nowMs = place.timestamp * 1000
const fan = { author: stranger, signer: stranger }
const [first, second, answer, gone, unwritten] = [1, 2, 3, 4, 5].map((n) =>
  subjectOf(stranger, BigInt(n)),
) as [S, S, S, S, S]
type S = ReturnType<typeof subjectOf>

/** Two threads, one of them with an answer, and one that was deleted. */
function withThreads() {
  const index = indexWithTrack()
  const write = (subject: S, content = {}) =>
    index.apply(kinds.comment.number, subject, { prev: null, track, text: 'Ut', ...content }, fan)
  write(first)
  write(second)
  write(answer, { replyTo: first })
  index.apply(kinds.delete.number, gone, { prev: write(gone).action.hash }, fan)
  return index
}

describe('a pin', () => {
  test('is the latest by the author’s clock among those on beginnings of threads that are there', () => {
    const word = fc.record({
      comment: fc.constantFrom(null, first, second, answer, gone, unwritten, track),
      atMs: fc.integer({ min: 1, max: 30 }),
    })
    fc.assert(
      fc.property(fc.array(word, { maxLength: 15 }), (said) => {
        const index = withThreads()
        let kept: (typeof said)[number] | undefined
        for (const one of said) {
          const { verdict } = index.apply(number, track, one)
          const isLate = one.atMs <= (kept?.atMs ?? 0)
          const fits = one.comment === null || one.comment === first || one.comment === second
          expect(verdict.verdict).toBe(isLate ? 'outdated' : fits ? 'applied' : 'notFound')
          if (!isLate && fits) kept = one
        }
        const pin = index.state.get(pinKey(track)) as Pin | undefined
        expect([pin?.comment, pin?.atMs]).toEqual([kept?.comment, kept?.atMs])
      }),
      { numRuns: 50 },
    )
  })

  test('is put by the track’s author alone, once there is a track, and nothing else changes by it', () => {
    const by = fc.constantFrom(
      [{}, 'applied'] as const,
      [{ signer: stranger }, 'notAuthorised'] as const,
      [fan, 'wrongSubject'] as const,
    )
    fc.assert(
      fc.property(by, fc.integer({ min: 1, max: nowMs + clockToleranceMs }), ([signed, wanted], atMs) => {
        const index = withThreads()
        const before = textOf(index)
        expect(index.apply(number, track, { comment: first, atMs }, signed).verdict.verdict).toBe(wanted)
        index.state.delete(pinKey(track))
        expect(textOf(index)).toBe(before)
      }),
    )
    const { apply } = withThreads()
    for (const subject of [subjectOf(author, 99n), userSubject(author)]) {
      expect(apply(number, subject, { comment: null, atMs: 1 }).verdict.verdict).toBe('notFound')
    }
    const late = { comment: null, atMs: nowMs + clockToleranceMs + 1 }
    expect(apply(number, track, late).verdict.verdict).toBe('ahead')
    expect(apply(number, track, { comment: null, atMs: 0 }).verdict.verdict).toBe('malformed')
  })
})
