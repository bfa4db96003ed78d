import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { type Address, type Hash, subjectOf, userSubject } from '../names/index.ts'
import { author, memoryIndex, place, receiptBy, stranger, track, trackContent } from './fixtures/index.ts'
import { delegableKinds, delegationInForce, type KindName, kinds, longestDelegationMs } from './index.ts'
import { recoveryDelayMs } from './rotate.ts'

const me = userSubject(author)
const key: Address = `0x${'f1'.repeat(20)}`
const nowMs = place.timestamp * 1000
const dayMs = 86_400_000
const byKey = { signer: key }
const grant = (fields: Record<string, Json> = {}): Json => ({
  ...{ key, scopes: ['follow'], expiresAtMs: nowMs + dayMs, atMs: 1 },
  ...fields,
})
const follow = (atMs: number) => ({ user: stranger, on: true, atMs })

/** With a delegated key. */
function delegated(fields: Record<string, Json> = {}) {
  const index = memoryIndex()
  expect(index.apply(kinds.delegate.number, me, grant(fields)).verdict.verdict).toBe('applied')
  return index
}

describe('a delegated key', () => {
  test('signs what is in its scope for as long as it may, and nothing else whatever it was given', () => {
    const scopes = fc.uniqueArray(fc.constantFrom(...delegableKinds), { minLength: 1 })
    const kind = fc.constantFrom(...(Object.keys(kinds) as KindName[]))
    const seconds = fc.integer({ min: 0, max: 172_800 })
    fc.assert(
      fc.property(scopes, kind, seconds, (allowed, name, later) => {
        const { apply } = delegated({ scopes: allowed })
        const options = { ...byKey, timestamp: place.timestamp + later }
        // Malformed on purpose: who may sign is asked before what is said.
        const { verdict } = apply(kinds[name].number, me, { nothing: true }, options)
        const may = (allowed as string[]).includes(name) && later * 1000 < dayMs
        expect(verdict.verdict).toBe(may ? 'malformed' : 'notAuthorised')
      }),
    )
  })

  test('cannot be given the right to say who the author is, or who may sign', () => {
    const { apply } = memoryIndex()
    for (const name of ['user', 'rotate', 'delegate', 'app', 'notice']) {
      expect(apply(kinds.delegate.number, me, grant({ scopes: [name] })).verdict.verdict).toBe('malformed')
    }
    expect(apply(kinds.delegate.number, me, grant({ scopes: ['save', 'save'] })).verdict.verdict).toBe(
      'malformed',
    )
  })

  test('cannot let itself in, prolong itself, or act for another author', () => {
    const { apply } = delegated({ scopes: [...delegableKinds] })
    expect(memoryIndex().apply(kinds.delegate.number, me, grant(), byKey).verdict.verdict).toBe(
      'notAuthorised',
    )
    const longer = grant({ expiresAtMs: nowMs + 9 * dayMs, atMs: 2 })
    expect(apply(kinds.delegate.number, me, longer, byKey).verdict.verdict).toBe('notAuthorised')
    const rotated = apply(kinds.rotate.number, me, { prev: null, controller: key }, byKey)
    expect(rotated.verdict.verdict).toBe('notAuthorised')
    const other = { signer: key, author: stranger }
    const content = { user: author, on: true, atMs: 1 }
    expect(apply(kinds.follow.number, userSubject(stranger), content, other).verdict.verdict).toBe(
      'notAuthorised',
    )
  })

  test('deletes only what it may make', async () => {
    const { apply } = delegated({ scopes: ['playlist', 'delete'] })
    const { action } = apply(
      kinds.track.number,
      track,
      trackContent([await receiptBy(0), await receiptBy(1)]),
    )
    const list = subjectOf(author, 20n)
    const made = apply(kinds.playlist.number, list, { prev: null, title: 'By an app' }, byKey)
    const remove = (subject: typeof list, prev: Hash) =>
      apply(kinds.delete.number, subject, { prev }, byKey).verdict
    expect(remove(track, action.hash)).toEqual({
      verdict: 'notAuthorised',
      reason: expect.stringContaining('delete a track'),
    })
    expect(remove(list, made.action.hash).verdict).toBe('applied')
  })

  test('ends when it is revoked, and an older delegation cannot bring it back', () => {
    const { apply } = delegated({ atMs: 5 })
    expect(apply(kinds.follow.number, me, follow(1), byKey).verdict.verdict).toBe('applied')
    expect(apply(kinds.delegate.number, me, grant({ scopes: [], atMs: 7 })).verdict.verdict).toBe('applied')
    expect(apply(kinds.follow.number, me, follow(2), byKey).verdict.verdict).toBe('notAuthorised')
    expect(apply(kinds.delegate.number, me, grant({ atMs: 6 })).verdict.verdict).toBe('outdated')
  })

  test('ends with any rotation, also one that comes into force by itself', () => {
    const recovery: Address = `0x${'c3'.repeat(20)}`
    const { apply, view } = delegated()
    const prev = apply(
      kinds.rotate.number,
      me,
      { prev: null, controller: author, recovery },
      {
        timestamp: place.timestamp + 1,
      },
    ).action.hash
    expect(
      apply(kinds.follow.number, me, follow(2), { ...byKey, timestamp: place.timestamp + 1 }).verdict.verdict,
    ).toBe('notAuthorised')
    const again = grant({ atMs: 2, expiresAtMs: nowMs + 300 * dayMs })
    apply(kinds.delegate.number, me, again, { timestamp: place.timestamp + 2 })
    expect(delegationInForce(view, author, key, nowMs + 3000)).toMatchObject({ controller: author })
    const rotation = { prev, controller: stranger }
    const asked = apply(kinds.rotate.number, me, rotation, {
      signer: recovery,
      timestamp: place.timestamp + 3,
    })
    expect(asked.verdict.verdict).toBe('applied')
    const inForceMs = nowMs + 3000 + recoveryDelayMs
    expect(delegationInForce(view, author, key, inForceMs - 1)).toBeDefined()
    expect(delegationInForce(view, author, key, inForceMs)).toBeUndefined()
  })

  test('is for a year at most, for a key of another address, and for an app that is there', () => {
    const { apply } = memoryIndex()
    const verdictOf = (fields: Record<string, Json>) =>
      apply(kinds.delegate.number, me, grant(fields)).verdict.verdict
    expect(verdictOf({ expiresAtMs: nowMs + longestDelegationMs + 1 })).toBe('malformed')
    expect(verdictOf({ key: author })).toBe('wrongSubject')
    const program = subjectOf(stranger, 4n)
    expect(verdictOf({ app: program })).toBe('notFound')
    const by = { author: stranger, signer: stranger }
    const app = apply(kinds.app.number, program, { prev: null, name: 'Player' }, by)
    expect(app.verdict.verdict).toBe('applied')
    expect(verdictOf({ app: program })).toBe('applied')
    expect(apply(kinds.app.number, program, { prev: app.action.hash, name: '' }, by).verdict.verdict).toBe(
      'malformed',
    )
  })

  test('is nothing under version 1 of the rules', () => {
    const { apply, state } = memoryIndex(undefined, 1)
    expect(apply(kinds.delegate.number, me, grant()).verdict.verdict).toBe('unknownKind')
    state.set(`delegate/${author}/${key}`, {
      scopes: ['user'],
      expiresAtMs: nowMs + dayMs,
      controller: author,
      setAtMs: nowMs,
    })
    expect(apply(kinds.user.number, me, { prev: null }, byKey).verdict.verdict).toBe('notAuthorised')
  })
})
