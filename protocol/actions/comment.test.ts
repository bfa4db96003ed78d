import { describe, expect, test } from '@jest/globals'
import { type Subject, subjectOf, userSubject } from '../names/index.ts'
import { author, memoryIndex, receiptBy, stranger, track, trackContent } from './fixtures/index.ts'
import { kinds, pinKey, reactionKey, subjectKey } from './index.ts'

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
