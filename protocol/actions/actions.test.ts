import { describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { type Address, type Hash, type Subject, subjectOf, userSubject } from '../names/index.ts'
import { author, domain, memoryIndex, receiptBy, stranger, track, trackContent } from './fixtures/index.ts'
import { ActionError, kinds, openAction, signAction, signedActionSchema, subjectKey } from './index.ts'
import { maximumPlaylistTracks } from './playlist.ts'

describe('any action', () => {
  test('is rejected when its kind is unknown, its subject foreign or its signer a stranger', () => {
    const { apply } = memoryIndex()
    expect(apply(60_000, track, { prev: null }).verdict.verdict).toBe('unknownKind')
    expect(apply(kinds.user.number, userSubject(stranger), { prev: null }).verdict.verdict).toBe(
      'wrongSubject',
    )
    const foreign = apply(kinds.user.number, userSubject(author), { prev: null }, { signer: stranger })
    expect(foreign.verdict.verdict).toBe('notAuthorised')
  })

  test('never makes a rule throw, whatever bytes a stranger signs', () => {
    const { apply } = memoryIndex()
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 17 }),
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => new TextEncoder().encode(text)),
          fc
            .string({ unit: 'binary' })
            .map((text) => new TextEncoder().encode(`{"prev":null,"title":"${text}"}`)),
        ),
        (kind, content) => {
          expect(typeof apply(kind, userSubject(author), content).verdict.verdict).toBe('string')
        },
      ),
      { numRuns: 500 },
    )
  })

  test.each(Object.entries(kinds))(
    'is malformed with a length that nothing can measure: %s',
    (_, { number, schema }) => {
      const { apply } = memoryIndex()
      const fields = Object.keys((schema as unknown as { shape?: object }).shape ?? {})
      for (const field of fields) {
        const content = { [field]: { length: { toString: '' } } }
        expect(apply(number, userSubject(author), content).verdict.verdict).toBe('malformed')
      }
    },
  )

  test('is malformed unless its content is canonical JSON', () => {
    const { apply } = memoryIndex()
    const bytes = (text: string) => new TextEncoder().encode(text)
    for (const text of [
      '{"prev": null}',
      '{"prev":null,"prev":null}',
      '{"name":"x","prev":null,"bio":"y"}',
      '[',
      '',
    ]) {
      expect(apply(kinds.user.number, userSubject(author), bytes(text)).verdict.verdict).toBe('malformed')
    }
    const nul = apply(kinds.user.number, userSubject(author), { prev: null, name: 'a\u0000b' })
    expect(nul.verdict.verdict).toBe('malformed')
  })

  test('must name the last accepted action, so that order is the author’s', () => {
    const { apply } = memoryIndex()
    const first = apply(kinds.user.number, userSubject(author), { prev: null, name: 'one' })
    expect(first.verdict.verdict).toBe('applied')
    expect(apply(kinds.user.number, userSubject(author), { prev: null, name: 'two' }).verdict.verdict).toBe(
      'stalePrev',
    )
    const second = apply(kinds.user.number, userSubject(author), { prev: first.action.hash, name: 'two' })
    expect(second.verdict.verdict).toBe('applied')
  })
})

describe('a playlist', () => {
  const list = subjectOf(author, 20n)
  const at = (n: number) => subjectOf(author, BigInt(n))

  test('changes by deltas and keeps what is not named', () => {
    const { apply, state } = memoryIndex()
    const first = apply(kinds.playlist.number, list, {
      prev: null,
      title: 'Evening',
      add: [{ track: at(1) }, { track: at(2) }, { track: at(3) }],
    })
    apply(kinds.playlist.number, list, {
      prev: first.action.hash,
      remove: [at(2)],
      add: [{ track: at(4), at: 0 }, { track: at(1) }],
    })
    expect(state.get(subjectKey(list))).toMatchObject({
      body: { title: 'Evening', tracks: [at(4), at(1), at(3)] },
    })
  })

  test('is put into any order by moves, and neither gains nor loses a track by them', () => {
    const moves = fc.array(
      fc.record({ track: fc.integer({ min: 1, max: 6 }), to: fc.integer({ min: 0, max: 8 }) }),
      {
        maxLength: 10,
      },
    )
    fc.assert(
      fc.property(moves, (steps) => {
        const { apply, state } = memoryIndex()
        const names = [1, 2, 3, 4, 5].map(at)
        const add = names.map((track) => ({ track }))
        const { action } = apply(kinds.playlist.number, list, { prev: null, title: 'Evening', add })
        const move = steps.map(({ track, to }) => ({ track: at(track), to }))
        apply(kinds.playlist.number, list, { prev: action.hash, move })
        const { body } = state.get(subjectKey(list)) as { body: { tracks: Subject[] } }
        expect([...body.tracks].sort()).toEqual(names)
        const last = move.findLast(({ track }) => names.includes(track))
        if (last) expect(body.tracks.indexOf(last.track)).toBe(Math.min(last.to, 4))
      }),
    )
  })

  test('that is private says nothing in the open, and stays private', () => {
    const { apply, state } = memoryIndex()
    const sealed = { from: `0x${'01'.repeat(32)}`, keys: ['A'.repeat(64)], box: 'AAAA' }
    const verdictOf = (content: Json) => apply(kinds.playlist.number, list, content).verdict.verdict
    expect(verdictOf({ prev: null, sealed, title: 'Diary' })).toBe('malformed')
    expect(verdictOf({ prev: null, sealed: { ...sealed, box: 'plain words' } })).toBe('malformed')
    const { action } = apply(kinds.playlist.number, list, { prev: null, sealed })
    expect(verdictOf({ prev: action.hash, title: 'Diary' })).toBe('malformed')
    expect(verdictOf({ prev: action.hash, sealed: { ...sealed, box: 'BBBB' } })).toBe('applied')
    expect(state.get(subjectKey(list))).toMatchObject({ body: { sealed: { box: 'BBBB' } } })
    const open = apply(kinds.playlist.number, at(21), { prev: null, title: 'Open' })
    const hidden = apply(kinds.playlist.number, at(21), { prev: open.action.hash, sealed })
    expect(hidden.verdict.verdict).toBe('wrongSubject')
  })

  test('needs a title when it is new, and cannot take the number of a track', async () => {
    const { apply } = memoryIndex()
    expect(apply(kinds.playlist.number, list, { prev: null }).verdict.verdict).toBe('malformed')
    const { action } = apply(
      kinds.track.number,
      track,
      trackContent([await receiptBy(0), await receiptBy(1)]),
    )
    const clash = apply(kinds.playlist.number, track, { prev: action.hash, title: 'no' })
    expect(clash.verdict.verdict).toBe('wrongSubject')
  })

  test('never holds a track twice, never grows past its bound', () => {
    const { apply, state } = memoryIndex()
    let prev: Hash | null = null
    let rejected = ''
    for (let page = 0; page <= maximumPlaylistTracks / 80; page++) {
      const add = Array.from({ length: 80 }, (_, n) => ({ track: at(100 + page * 79 + n) }))
      const { action, verdict } = apply(kinds.playlist.number, list, { prev, title: 'Long', add })
      if (verdict.verdict === 'applied') prev = action.hash
      else rejected = verdict.verdict
    }
    const { body } = state.get(subjectKey(list)) as { body: { tracks: Subject[] } }
    expect(new Set(body.tracks).size).toBe(body.tracks.length)
    expect(rejected).toBe('listTooLong')
    expect(body.tracks.length).toBeLessThanOrEqual(maximumPlaylistTracks)
  })
})

describe('a signed action', () => {
  test('opens to what was signed, under a name that its deadline does not change', async () => {
    const wallet = Wallet.createRandom()
    const me = wallet.address.toLowerCase() as Address
    const fields = {
      kind: 'user' as const,
      author: me,
      nonce: 5n,
      subject: userSubject(me),
      content: { prev: null },
    }
    const one = await signAction(wallet, domain, { ...fields, deadline: 1_700_000_000 })
    const two = await signAction(wallet, domain, { ...fields, deadline: 1_800_000_000 })
    const { hash, ...wire } = one
    expect(openAction(wire, domain)).toMatchObject({ hash, signer: me, nonce: 5n })
    expect(two.hash).toBe(hash)
    expect(() => openAction({ ...wire, signature: '0x12' }, domain)).toThrow(ActionError)
  })

  test.each<[string, boolean]>([
    ['0', true],
    [String(2n ** 256n - 1n), true],
    [String(2n ** 256n), false],
    ['9'.repeat(78), false],
    ['-1', false],
    ['0x1', false],
  ])('has a nonce that the chain can hold: %s', (nonce, isGood) => {
    expect(signedActionSchema.shape.nonce.safeParse(nonce).success).toBe(isGood)
  })

  test('is never signed when every indexer would reject it as malformed', async () => {
    const wallet = Wallet.createRandom()
    const me = wallet.address.toLowerCase() as Address
    const fields = { kind: 'user' as const, author: me, nonce: 5n, subject: userSubject(me), deadline: 1 }
    await expect(
      signAction(wallet, domain, { ...fields, content: { prev: null, handle: 'UPPER' } }),
    ).rejects.toThrow(/handle/)
  })
})
