import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Address, subjectOf, userSubject } from '../names/index.ts'
import { author, memoryIndex, place, receiptBy, stranger, track, trackContent } from './fixtures/index.ts'
import { clockToleranceMs, type Edge, followKey, kinds, repostKey, saveKey } from './index.ts'

const me = userSubject(author)
const nowMs = place.timestamp * 1000
const { follow, save, repost, playlist } = kinds

async function withTrack() {
  const index = memoryIndex()
  index.apply(kinds.track.number, track, trackContent([await receiptBy(0), await receiptBy(1)]))
  return index
}

describe('following', () => {
  test('ends as the author’s clock has it, in whatever order relayers bring the actions', () => {
    const said = fc.array(fc.record({ on: fc.boolean(), atMs: fc.integer({ min: 1, max: 50 }) }), {
      minLength: 1,
      maxLength: 12,
    })
    fc.assert(
      fc.property(said, (actions) => {
        const { apply, state } = memoryIndex()
        for (const { on, atMs } of actions) apply(follow.number, me, { user: stranger, on, atMs })
        const latest = Math.max(...actions.map(({ atMs }) => atMs))
        const wanted = actions.find(({ atMs }) => atMs === latest)
        expect(state.get(followKey(author, stranger))).toMatchObject({ on: wanted?.on, atMs: latest })
      }),
      { numRuns: 40 },
    )
  })

  test('again changes nothing but the time of the last word, and an old word cannot revive it', () => {
    const { apply, state } = memoryIndex()
    const edge = () => state.get(followKey(author, stranger)) as Edge
    apply(follow.number, me, { user: stranger, on: true, atMs: 10 })
    const again = { timestamp: place.timestamp + 60 }
    expect(apply(follow.number, me, { user: stranger, on: true, atMs: 20 }, again).verdict.verdict).toBe(
      'applied',
    )
    expect(edge()).toMatchObject({ on: true, atMs: 20, sinceMs: nowMs, setAtMs: nowMs + 60_000 })
    apply(follow.number, me, { user: stranger, on: false, atMs: 30 })
    const held = apply(follow.number, me, { user: stranger, on: true, atMs: 25 })
    expect([held.verdict.verdict, edge().on]).toEqual(['outdated', false])
  })

  test('is of others, under the author’s own name, by a clock that is right within an hour', () => {
    const { apply } = memoryIndex()
    const verdictOf = (subject: typeof me, content: { user: Address; atMs: number }) =>
      apply(follow.number, subject, { on: true, ...content }).verdict.verdict
    expect(verdictOf(me, { user: author, atMs: 1 })).toBe('wrongSubject')
    expect(verdictOf(track, { user: stranger, atMs: 1 })).toBe('wrongSubject')
    expect(verdictOf(me, { user: stranger, atMs: nowMs + clockToleranceMs + 1 })).toBe('ahead')
    expect(verdictOf(me, { user: stranger, atMs: nowMs + clockToleranceMs })).toBe('applied')
  })

  test('costs one entry, however many are followed', () => {
    const { apply, state } = memoryIndex()
    for (let n = 1; n <= 50; n++) {
      const user: Address = `0x${n.toString(16).padStart(40, '0')}`
      const { verdict } = apply(follow.number, me, { user, on: true, atMs: 1 })
      expect(verdict).toMatchObject({ changes: [{ key: followKey(author, user) }] })
    }
    expect(state.size).toBe(50)
  })
})

describe.each([
  ['saving', save, saveKey],
  ['reposting', repost, repostKey],
])('%s', (_, kind, keyOf) => {
  const mark = (target: string, on: boolean, atMs: number) => ({ target, on, atMs })
  const other = { signer: stranger, author: stranger }
  const theirs = userSubject(stranger)

  test('is of tracks and playlists that are there, and can be taken back even when they are gone', async () => {
    const { apply, state } = await withTrack()
    expect(apply(kind.number, theirs, mark(track, true, 1), other).verdict.verdict).toBe('applied')
    expect(state.get(keyOf(stranger, track))).toMatchObject({ on: true })
    const digest = (state.get(`subject/${track}`) as { digest: string }).digest
    apply(kinds.delete.number, track, { prev: digest })
    expect(apply(kind.number, theirs, mark(track, true, 2), other).verdict.verdict).toBe('deleted')
    expect(apply(kind.number, theirs, mark(track, false, 3), other).verdict.verdict).toBe('applied')
    expect(apply(kind.number, theirs, mark(theirs, true, 4), other).verdict.verdict).toBe('notFound')
  })

  test('is not of a private playlist', () => {
    const { apply } = memoryIndex()
    const list = subjectOf(author, 30n)
    const sealed = { from: `0x${'01'.repeat(32)}`, keys: ['A'.repeat(64)], box: 'AAAA' }
    expect(apply(playlist.number, list, { prev: null, sealed }).verdict.verdict).toBe('applied')
    expect(apply(kind.number, theirs, mark(list, true, 1), other).verdict.verdict).toBe('wrongSubject')
  })
})
