import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { type Hash, subjectOf, userSubject } from '../names/index.ts'
import { contents, trackContents } from './fixtures/contents.ts'
import { author, stranger } from './fixtures/index.ts'
import { indexWithTrack, textOf } from './fixtures/subject-suite.ts'
import { kinds, type SubjectState, subjectKey } from './index.ts'

const subject = subjectOf(author, 50n)
const { user: _, ...ofNumbers } = contents
const deletable = { ...ofNumbers, track: await trackContents(subject) }
type Deletable = keyof typeof deletable
const names = Object.keys(deletable) as Deletable[]
const never: Hash = `0x${'0d'.repeat(32)}`

/** Something under the number, of any kind. */
const made = fc
  .constantFrom(...names)
  .chain((kind) => fc.tuple(fc.constant(kind), deletable[kind] as fc.Arbitrary<Record<string, Json>>))

describe('deleting', () => {
  test('leaves a tombstone that nothing brings back, whatever comes and whoever signs it', () => {
    fc.assert(
      fc.property(made, fc.array(made, { maxLength: 4 }), ([kind, content], later) => {
        const index = indexWithTrack()
        const first = index.apply(kinds[kind].number, subject, { ...content, prev: null })
        const gone = index.apply(kinds.delete.number, subject, { prev: first.action.hash })
        expect(gone.verdict.verdict).toBe('applied')
        const after = textOf(index)
        for (const [next, again] of later) {
          for (const prev of [null, first.action.hash, gone.action.hash]) {
            const { verdict } = index.apply(kinds[next].number, subject, { ...again, prev })
            expect(verdict.verdict).toBe(prev === gone.action.hash ? 'deleted' : 'stalePrev')
          }
        }
        const twice = index.apply(kinds.delete.number, subject, { prev: gone.action.hash })
        expect(twice.verdict.verdict).toBe('deleted')
        expect(textOf(index)).toBe(after)
      }),
      { numRuns: 60 },
    )
  })

  test('keeps who, when and of which kind, and nothing of what was said but a comment’s place', () => {
    fc.assert(
      fc.property(made, ([kind, content]) => {
        const index = indexWithTrack()
        const { action } = index.apply(kinds[kind].number, subject, { ...content, prev: null })
        const before = index.state.get(subjectKey(subject)) as SubjectState
        const gone = index.apply(kinds.delete.number, subject, { prev: action.hash })
        const { body, ...rest } = index.state.get(subjectKey(subject)) as SubjectState
        expect(rest).toEqual({
          ...rest,
          kind: before.kind,
          createdAtMs: before.createdAtMs,
          author,
          deleted: true,
        })
        expect(rest.digest).toBe(gone.action.hash)
        expect(JSON.parse(JSON.stringify(body))).toEqual(kind === 'comment' ? { track: content.track } : {})
      }),
      { numRuns: 60 },
    )
  })

  test('is of what is there, by its author, who has seen what it is', () => {
    const by = fc.constantFrom({}, { signer: stranger }, { author: stranger, signer: stranger })
    fc.assert(
      fc.property(made, by, fc.constantFrom('last', 'never'), ([kind, content], signed, names) => {
        const index = indexWithTrack()
        const { action } = index.apply(kinds[kind].number, subject, { ...content, prev: null })
        const before = textOf(index)
        const prev = names === 'last' ? action.hash : never
        const { verdict } = index.apply(kinds.delete.number, subject, { prev }, signed)
        const foreign = 'author' in signed ? 'wrongSubject' : 'signer' in signed ? 'notAuthorised' : undefined
        const wanted = foreign ?? (names === 'last' ? 'applied' : 'stalePrev')
        expect(verdict.verdict).toBe(wanted)
        if (wanted !== 'applied') expect(textOf(index)).toBe(before)
      }),
      { numRuns: 60 },
    )
  })

  test('of nothing, of a profile, or without a predecessor is refused', () => {
    const { apply } = indexWithTrack()
    const verdictOf = (of: typeof subject, content: Json) =>
      apply(kinds.delete.number, of, content).verdict.verdict
    expect(verdictOf(subject, { prev: never })).toBe('stalePrev')
    expect(verdictOf(subject, { prev: null })).toBe('malformed')
    expect(verdictOf(subject, {})).toBe('malformed')
    const me = userSubject(author)
    const { action } = apply(kinds.user.number, me, { prev: null })
    expect(verdictOf(me, { prev: action.hash })).toBe('wrongSubject')
  })
})
