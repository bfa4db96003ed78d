import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { subjectOf, userSubject } from '../names/index.ts'
import { contents } from './fixtures/contents.ts'
import { author, memoryIndex, stranger, track } from './fixtures/index.ts'
import { indexWithTrack, subjectSuite } from './fixtures/subject-suite.ts'
import { kinds, type SubjectState, subjectKey } from './index.ts'

const notice = subjectOf(author, 17n)
const claim = { track, ground: 'copyright', statement: 'The recording is ours.\nSee the letter.' }
const { number } = kinds.notice

describe('a takedown notice', () => {
  subjectSuite('notice', { contents: contents.notice })

  test('reworded however often changes nothing but itself, and never of which track it speaks', () => {
    const tracks = [track, subjectOf(stranger, 1n)]
    const steps = fc.array(fc.tuple(contents.notice, fc.constantFrom(...tracks)), { maxLength: 8 })
    fc.assert(
      fc.property(steps, (said) => {
        const index = indexWithTrack()
        const others = (key: string) => key !== subjectKey(notice)
        const rest = JSON.stringify([...index.state].filter(([key]) => others(key)))
        const about = said[0]?.[1]
        for (const [content, subject] of said) {
          const before = index.state.get(subjectKey(notice)) as SubjectState | undefined
          const { verdict } = index.apply(number, notice, {
            ...{ ...content, track: subject },
            prev: before?.digest ?? null,
          })
          expect(verdict.verdict).toBe(subject === about ? 'applied' : 'wrongSubject')
        }
        if (about !== undefined) {
          expect(index.state.get(subjectKey(notice))).toMatchObject({ body: { track: about } })
        }
        expect(JSON.stringify([...index.state].filter(([key]) => others(key)))).toBe(rest)
      }),
      { numRuns: 50 },
    )
  })

  test('of anybody about any track is taken, and the track stays as it was', () => {
    const { apply, state } = memoryIndex()
    const given = apply(number, notice, { prev: null, ...claim, contact: 'law@example.net' })
    expect(given.verdict).toMatchObject({ verdict: 'applied', changes: [{ key: subjectKey(notice) }] })
    expect(state.get(subjectKey(notice))).toMatchObject({ kind: 'notice', author, body: claim })
    expect(state.get(subjectKey(track))).toBeUndefined()
  })

  test('can be reworded and withdrawn, but not turned against another track', () => {
    const { apply, state } = memoryIndex()
    const first = apply(number, notice, { prev: null, ...claim }).action.hash
    const turned = { prev: first, ...claim, track: subjectOf(author, 99n) }
    expect(apply(number, notice, turned).verdict.verdict).toBe('wrongSubject')
    const second = apply(number, notice, { prev: first, ...claim, ground: 'illegal' })
    expect(second.verdict.verdict).toBe('applied')
    const withdrawn = apply(kinds.delete.number, notice, { prev: second.action.hash })
    expect(withdrawn.verdict.verdict).toBe('applied')
    expect(state.get(subjectKey(notice))).toMatchObject({ kind: 'notice', deleted: true, body: {} })
    const again = apply(number, notice, { prev: withdrawn.action.hash, ...claim })
    expect(again.verdict.verdict).toBe('deleted')
  })

  test('names a track, a known ground, and stands under a number of its own', () => {
    const { apply } = memoryIndex()
    const verdictOf = (subject: typeof notice, content: object) =>
      apply(number, subject, { prev: null, ...claim, ...content }).verdict.verdict
    expect(verdictOf(notice, { track: 'bafkreigh2akiscaildc' })).toBe('malformed')
    expect(verdictOf(notice, { ground: 'boredom' })).toBe('malformed')
    expect(verdictOf(notice, { statement: 'x'.repeat(2001) })).toBe('malformed')
    expect(verdictOf(notice, { contact: 'x'.repeat(201) })).toBe('malformed')
    expect(verdictOf(notice, { contact: '' })).toBe('malformed')
    expect(verdictOf(userSubject(author), {})).toBe('wrongSubject')
    const songs = apply(kinds.playlist.number, subjectOf(author, 18n), { prev: null, title: 'Songs' })
    expect(verdictOf(subjectOf(author, 18n), { prev: songs.action.hash })).toBe('wrongSubject')
    expect(verdictOf(notice, { statement: 'x'.repeat(2000), contact: 'x'.repeat(200) })).toBe('applied')
  })
})
