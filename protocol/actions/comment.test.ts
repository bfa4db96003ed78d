import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { type Address, type Hash, type Subject, subjectOf, userSubject } from '../names/index.ts'
import { contents } from './fixtures/contents.ts'
import { author, memoryIndex, receiptBy, stranger, track, trackContent } from './fixtures/index.ts'
import { indexWithTrack, subjectSuite } from './fixtures/subject-suite.ts'
import { kinds, pinKey, reactionKey, type SubjectState, subjectKey } from './index.ts'

const fan = { author: stranger, signer: stranger }
const at = (n: number) => subjectOf(stranger, BigInt(n))

async function commented() {
  const index = memoryIndex()
  index.apply(kinds.track.number, track, trackContent([await receiptBy(0), await receiptBy(1)]))
  const write = (subject: Subject, content: object, by: object = fan) =>
    index.apply(kinds.comment.number, subject, { prev: null, track, text: 'Ut', ...content }, by)
  return { ...index, write }
}

describe('a comment', () => {
  subjectSuite('comment', { contents: contents.comment, adds: ['root'] })

  test('stands in the thread of what it answers, through answers, deletions and mutes in any order', () => {
    const users = [author, stranger]
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...users), fc.oneof(fc.nat(8), fc.constant(null))) },
      { weight: 2, arbitrary: fc.nat(8) },
      { weight: 1, arbitrary: fc.boolean() },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 14 }), (steps) => {
        const { apply, state } = indexWithTrack()
        type Written = { subject: Subject; by: Address; hash: Hash; root: Subject | undefined; gone: boolean }
        const written: Written[] = []
        let isMuted = false
        for (const [at, said] of steps.entries()) {
          if (typeof said === 'boolean') {
            apply(kinds.mute.number, userSubject(author), { user: stranger, on: said, atMs: at + 1 })
            isMuted = said
          } else if (typeof said === 'number') {
            const one = written[said]
            if (one === undefined) continue
            const by = { author: one.by, signer: one.by }
            const { verdict } = apply(kinds.delete.number, one.subject, { prev: one.hash }, by)
            // Whoever is muted may still take back.
            expect(verdict.verdict).toBe(one.gone ? 'stalePrev' : 'applied')
            one.gone = true
          } else {
            const [by, answers] = said
            const answered = answers === null ? undefined : (written[answers] ?? null)
            const replyTo = answered === null ? subjectOf(author, 999n) : answered?.subject
            const subject = subjectOf(by, BigInt(100 + at))
            const content = { prev: null, track, text: 'Ut', ...(replyTo === undefined ? {} : { replyTo }) }
            const { action, verdict } = apply(kinds.comment.number, subject, content, {
              author: by,
              signer: by,
            })
            const isLost = answered === null || answered?.gone === true
            expect(verdict.verdict).toBe(
              isMuted && by === stranger ? 'muted' : isLost ? 'notFound' : 'applied',
            )
            if (verdict.verdict !== 'applied') continue
            const root = answered ? (answered.root ?? answered.subject) : undefined
            written.push({ subject, by, hash: action.hash, root, gone: false })
          }
        }
        for (const { subject, root, gone } of written) {
          const { body, deleted } = state.get(subjectKey(subject)) as SubjectState
          expect([body.root, body.track, deleted]).toEqual([root, track, gone])
        }
      }),
    )
  })

  test.each<[string, Json, Json]>([
    ['text', 'x'.repeat(1000), 'x'.repeat(1001)],
    ['text', ' x', ' \n\n'],
    ['positionMs', 0, -1],
    ['positionMs', Number.MAX_SAFE_INTEGER, 0.5],
  ])('keeps to the limits of %s', (name, good, bad) => {
    const write = (value: Json) => {
      const content = { prev: null, track, text: 'Ut', [name]: value }
      // What is no whole number cannot even be written canonically, but as a text.
      const bytes = new TextEncoder().encode(
        JSON.stringify(Object.fromEntries(Object.entries(content).sort())),
      )
      return indexWithTrack().apply(kinds.comment.number, at(1), bytes, fan).verdict.verdict
    }
    expect([write(good), write(bad)]).toEqual(['applied', 'malformed'])
  })

  test('begins a thread or answers within one, however deep', async () => {
    const { write, state } = await commented()
    const answers = [undefined, at(1), at(2), at(3)]
    for (const [index, replyTo] of answers.entries()) {
      const { verdict } = write(at(index + 1), replyTo ? { replyTo } : { positionMs: 61_000 })
      expect(verdict.verdict).toBe('applied')
    }
    expect(state.get(subjectKey(at(1)))).toMatchObject({ body: { positionMs: 61_000 } })
    for (const n of [2, 3, 4]) {
      expect(state.get(subjectKey(at(n)))).toMatchObject({ body: { root: at(1), replyTo: at(n - 1) } })
    }
  })

  test('is reworded where it stands, and keeps its place when it is deleted', async () => {
    const { write, apply, state } = await commented()
    write(at(1), {})
    const { action } = write(at(2), { replyTo: at(1) })
    expect(write(at(2), { prev: action.hash }).verdict.verdict).toBe('wrongSubject')
    const reworded = write(at(2), { prev: action.hash, replyTo: at(1), text: 'Re' })
    expect(reworded.verdict.verdict).toBe('applied')
    const gone = apply(kinds.delete.number, at(2), { prev: reworded.action.hash }, fan)
    expect(gone.verdict.verdict).toBe('applied')
    expect(state.get(subjectKey(at(2)))).toMatchObject({
      deleted: true,
      body: { track, root: at(1), replyTo: at(1) },
    })
    expect(JSON.stringify(state.get(subjectKey(at(2))))).not.toContain('"Re"')
    expect(write(at(3), { replyTo: at(2) }).verdict.verdict).toBe('notFound')
  })

  test('is on a track that is there, answers one on the same track, and says something', async () => {
    const { write, apply } = await commented()
    expect(write(at(1), { track: at(9) }).verdict.verdict).toBe('notFound')
    expect(write(at(1), { replyTo: at(8) }).verdict.verdict).toBe('notFound')
    expect(write(at(1), { text: ' \n' }).verdict.verdict).toBe('malformed')
    expect(write(userSubject(stranger), {}).verdict.verdict).toBe('wrongSubject')
    apply(kinds.playlist.number, at(5), { prev: null, title: 'x' }, fan)
    expect(write(at(1), { track: at(5) }).verdict.verdict).toBe('notFound')
  })

  test('is not taken from those whom the track’s author has muted, until they are heard again', async () => {
    const { write, apply } = await commented()
    const mute = (on: boolean, atMs: number) =>
      apply(kinds.mute.number, userSubject(author), { user: stranger, on, atMs })
    const { action } = write(at(1), {})
    mute(true, 1)
    expect(write(at(2), {}).verdict.verdict).toBe('muted')
    expect(write(at(1), { prev: action.hash, text: 'Re' }).verdict.verdict).toBe('muted')
    expect(apply(kinds.delete.number, at(1), { prev: action.hash }, fan).verdict.verdict).toBe('applied')
    mute(false, 2)
    expect(write(at(2), {}).verdict.verdict).toBe('applied')
  })

  test('gets one reaction of each user at a time', async () => {
    const { write, apply, state } = await commented()
    write(at(1), {})
    const react = (reaction: string | null, atMs: number) =>
      apply(kinds.react.number, userSubject(author), { comment: at(1), reaction, atMs }).verdict.verdict
    expect([react('love', 1), react('fire', 2), react('like', 1), react('boredom', 3)]).toEqual([
      'applied',
      'applied',
      'outdated',
      'malformed',
    ])
    expect(state.get(reactionKey(author, at(1)))).toMatchObject({ reaction: 'fire' })
    expect(react(null, 3)).toBe('applied')
    const lost = { comment: at(2), reaction: 'love', atMs: 1 }
    expect(apply(kinds.react.number, userSubject(author), lost).verdict.verdict).toBe('notFound')
  })

  test('is pinned by the track’s author alone, if it begins a thread there', async () => {
    const { write, apply, state } = await commented()
    write(at(1), {})
    write(at(2), { replyTo: at(1) })
    const pin = (comment: Subject | null, atMs: number, by = {}) =>
      apply(kinds.pin.number, track, { comment, atMs }, by).verdict.verdict
    expect([pin(at(1), 1), pin(at(2), 2), pin(at(3), 2)]).toEqual(['applied', 'notFound', 'notFound'])
    expect(pin(at(1), 3, fan)).toBe('wrongSubject')
    expect(pin(at(1), 3, { signer: stranger })).toBe('notAuthorised')
    expect(state.get(pinKey(track))).toMatchObject({ comment: at(1) })
    expect(pin(null, 3)).toBe('applied')
  })
})
