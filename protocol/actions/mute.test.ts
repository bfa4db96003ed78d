import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Address, subjectOf, userSubject } from '../names/index.ts'
import { author, place, stranger, track } from './fixtures/index.ts'
import { indexWithTrack } from './fixtures/subject-suite.ts'
import { clockToleranceMs, type Edge, kinds, muteKey } from './index.ts'

const { number } = kinds.mute
const me = userSubject(author)
const nowMs = place.timestamp * 1000
const other: Address = `0x${'c3'.repeat(20)}`

describe('muting', () => {
  test('holds as the author’s clock has it, for whom it names and for nobody else', () => {
    const word = fc.record({
      user: fc.constantFrom(stranger, other),
      on: fc.boolean(),
      atMs: fc.integer({ min: 1, max: 30 }),
    })
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (said) => {
        const { apply, state } = indexWithTrack()
        // Twice, as relayers may bring them.
        for (const content of [...said, ...said]) apply(number, me, content)
        for (const user of [stranger, other, author]) {
          const about = said.filter((one) => one.user === user)
          const latestMs = Math.max(...about.map(({ atMs }) => atMs))
          const isMuted = about.find(({ atMs }) => atMs === latestMs)?.on === true
          const edge = state.get(muteKey(author, user)) as Edge | undefined
          expect([edge?.on === true, edge?.atMs]).toEqual([isMuted, about.length > 0 ? latestMs : undefined])
          const content = { prev: null, track, text: 'Ut' }
          const by = { author: user, signer: user }
          const { verdict } = apply(kinds.comment.number, subjectOf(user, 60n), content, by)
          expect(verdict.verdict).toBe(isMuted ? 'muted' : 'applied')
        }
      }),
      { numRuns: 50 },
    )
  })

  test('again changes nothing of since when', () => {
    const { apply, state } = indexWithTrack()
    const mute = (on: boolean, atMs: number) =>
      apply(number, me, { user: stranger, on, atMs }, { timestamp: place.timestamp + atMs })
    const edge = () => state.get(muteKey(author, stranger)) as Edge
    mute(true, 1)
    mute(true, 2)
    expect(edge()).toMatchObject({ on: true, atMs: 2, sinceMs: nowMs + 1000, setAtMs: nowMs + 2000 })
    mute(false, 3)
    expect(edge()).toMatchObject({ on: false, sinceMs: nowMs + 3000 })
  })

  test('is of others, in the author’s own name, by a clock that is right within an hour', () => {
    const { apply } = indexWithTrack()
    const verdictOf = (content: object, subject = me, by = {}) =>
      apply(number, subject, { user: stranger, on: true, atMs: 1, ...content }, by).verdict.verdict
    expect(verdictOf({ user: author })).toBe('wrongSubject')
    expect(verdictOf({}, track)).toBe('wrongSubject')
    expect(verdictOf({}, me, { signer: stranger })).toBe('notAuthorised')
    expect(verdictOf({ on: 'yes' })).toBe('malformed')
    expect(verdictOf({ atMs: nowMs + clockToleranceMs + 1 })).toBe('ahead')
    expect(verdictOf({ atMs: nowMs + clockToleranceMs })).toBe('applied')
  })
})
