import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Address, subjectOf, userSubject } from '../names/index.ts'
import { author, place, stranger, track } from './fixtures/index.ts'
import { indexWithTrack } from './fixtures/subject-suite.ts'
import { clockToleranceMs, kinds, reactionKey, reactions } from './index.ts'

const { number } = kinds.react
const comment = subjectOf(author, 60n)
const nowMs = place.timestamp * 1000

function withComment() {
  const index = indexWithTrack()
  const written = index.apply(kinds.comment.number, comment, { prev: null, track, text: 'Ut' })
  expect(written.verdict.verdict).toBe('applied')
  return { ...index, digest: written.action.hash }
}

describe('a reaction', () => {
  const users = [author, stranger, `0x${'c3'.repeat(20)}` as Address]
  const word = fc.record({
    who: fc.constantFrom(...users),
    reaction: fc.constantFrom(null, ...reactions),
    atMs: fc.integer({ min: 1, max: 30 }),
  })

  test('is of each user the latest by its own clock, in whatever order and however often they come', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 15 }), (said) => {
        const { apply, state } = withComment()
        for (const { who, ...content } of [...said, ...said]) {
          apply(number, userSubject(who), { comment, ...content }, { author: who, signer: who })
        }
        for (const who of users) {
          const own = said.filter((one) => one.who === who)
          const latestMs = Math.max(...own.map(({ atMs }) => atMs))
          const wanted = own.find(({ atMs }) => atMs === latestMs)
          const kept = state.get(reactionKey(who, comment)) as { reaction: string | null } | undefined
          expect(kept?.reaction).toEqual(wanted?.reaction)
        }
      }),
      { numRuns: 50 },
    )
  })

  test('is to a comment that is there; afterwards it can only be taken back', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), fc.array(word, { maxLength: 6 }), (before, after) => {
        const { apply, digest } = withComment()
        const clocks = new Map<Address, number>()
        const react = ({ who, reaction, atMs }: (typeof before)[number], isThere: boolean) => {
          const by = { author: who, signer: who }
          const { verdict } = apply(number, userSubject(who), { comment, reaction, atMs }, by)
          const isLate = atMs <= (clocks.get(who) ?? 0)
          const wanted = isLate ? 'outdated' : isThere || reaction === null ? 'applied' : 'notFound'
          expect(verdict.verdict).toBe(wanted)
          if (wanted === 'applied') clocks.set(who, atMs)
        }
        for (const one of before) react(one, true)
        expect(apply(kinds.delete.number, comment, { prev: digest }).verdict.verdict).toBe('applied')
        for (const one of after) react(one, false)
      }),
      { numRuns: 50 },
    )
  })

  test('is one that there is, in the author’s own name, by a clock that is right within an hour', () => {
    const { apply } = withComment()
    const verdictOf = (content: object, subject = userSubject(author)) =>
      apply(number, subject, { comment, reaction: 'like', atMs: 1, ...content }).verdict.verdict
    expect(verdictOf({ reaction: 'boredom' })).toBe('malformed')
    expect(verdictOf({ atMs: 0 })).toBe('malformed')
    expect(verdictOf({ comment: track })).toBe('notFound')
    expect(verdictOf({}, comment)).toBe('wrongSubject')
    expect(verdictOf({ atMs: nowMs + clockToleranceMs + 1 })).toBe('ahead')
    expect(verdictOf({ atMs: nowMs + clockToleranceMs })).toBe('applied')
  })
})
