import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Json } from '../canonical/index.ts'
import { cidOf } from '../cids/index.ts'
import { type Hash, subjectOf } from '../names/index.ts'
import type { Operator } from '../operators/index.ts'
import { trackContents } from './fixtures/contents.ts'
import {
  author,
  memoryIndex,
  operators,
  place,
  receiptBy,
  stranger,
  track,
  trackContent,
} from './fixtures/index.ts'
import { subjectSuite } from './fixtures/subject-suite.ts'
import { kinds, type SubjectState, subjectKey } from './index.ts'

/** Of another size, or made of other bytes. */
const falseClaims: Record<string, Json>[] = [
  { storageRoot: `0x${'77'.repeat(32)}` },
  { leafCount: 1 },
  { byteLength: 1 },
]

const other = subjectOf(author, 50n)
const saying = await trackContents(other)
const good = [await receiptBy(0, other), await receiptBy(1, other), await receiptBy(2, other)]
const late = [
  await receiptBy(0, other, { validUntil: place.timestamp }),
  await receiptBy(1, other, { validUntil: place.timestamp }),
]

describe('a track', () => {
  subjectSuite('track', { contents: saying, adds: ['receipts', 'operators'] })

  test('is held by those who signed, two at least and each once, whatever is said of it', () => {
    const receipts = fc.array(fc.constantFrom(...good, ...late), { maxLength: 6 })
    fc.assert(
      fc.property(saying, receipts, (content, given) => {
        const { apply, state } = memoryIndex()
        const { verdict } = apply(kinds.track.number, other, { ...content, prev: null, receipts: given })
        const isDoubtful =
          given.some((receipt) => late.includes(receipt)) ||
          new Set(given.map(({ operator }) => operator)).size < given.length
        const wanted = isDoubtful ? 'invalidReceipt' : given.length < 2 ? 'missingReceipts' : 'applied'
        expect(verdict.verdict).toBe(wanted)
        const kept = state.get(subjectKey(other)) as SubjectState | undefined
        expect(kept?.body.operators).toEqual(
          wanted === 'applied' ? given.map(({ operator }) => operator) : undefined,
        )
      }),
      { numRuns: 60 },
    )
  })

  test('keeps its audio and who holds it through whatever is said later without receipts', () => {
    fc.assert(
      fc.property(fc.array(saying, { minLength: 1, maxLength: 5 }), (said) => {
        const { apply, state } = memoryIndex()
        const body = () => (state.get(subjectKey(other)) as SubjectState).body
        let prev: Hash | null = null
        for (const [step, content] of said.entries()) {
          const receipts = step === 0 ? good : []
          const { action, verdict } = apply(kinds.track.number, other, { ...content, prev, receipts })
          expect(verdict.verdict).toBe('applied')
          prev = action.hash
          const { manifest, storageRoot, leafCount, byteLength, durationMs } = said[0] as Record<string, Json>
          expect(body()).toMatchObject({ manifest, storageRoot, leafCount, byteLength, durationMs })
          expect(body().operators).toEqual(good.map(({ operator }) => operator))
        }
      }),
      { numRuns: 30 },
    )
  })

  test('is applied with receipts of two operators, and not with fewer', async () => {
    const { apply, state } = memoryIndex()
    const one = await receiptBy(0)
    expect(apply(kinds.track.number, track, trackContent([])).verdict.verdict).toBe('missingReceipts')
    expect(apply(kinds.track.number, track, trackContent([one])).verdict.verdict).toBe('missingReceipts')
    const two = apply(kinds.track.number, track, trackContent([one, await receiptBy(1)]))
    expect(two.verdict.verdict).toBe('applied')
    expect(state.get(subjectKey(track))).toMatchObject({ kind: 'track', digest: two.action.hash })
  })

  test('needs one receipt where there is one operator, and none can hold it where there is none', async () => {
    const lonely = memoryIndex(operators.slice(0, 1))
    expect(lonely.apply(kinds.track.number, track, trackContent([await receiptBy(0)])).verdict.verdict).toBe(
      'applied',
    )
    expect(memoryIndex([]).apply(kinds.track.number, track, trackContent([])).verdict.verdict).toBe(
      'missingReceipts',
    )
  })

  test('is rejected with a receipt that is doubled, forged, late, foreign, or about other audio', async () => {
    const { apply } = memoryIndex()
    const one = await receiptBy(0)
    const two = await receiptBy(1)
    const bad = [
      [one, one],
      [one, { ...two, signature: one.signature }],
      [one, await receiptBy(1, track, { validUntil: place.timestamp })],
      [one, await receiptBy(1, subjectOf(author, 8n))],
      [one, await receiptBy(1, track, { manifest: await cidOf(new Uint8Array([2]), 'dag-json') })],
      [one, { ...two, operator: stranger }],
      [one, { ...two, blockNumber: 101 }],
    ]
    for (const receipts of bad) {
      const { verdict } = apply(kinds.track.number, track, trackContent(receipts))
      expect(verdict.verdict).toBe('invalidReceipt')
    }
  })

  test('is rejected when it claims another storage root or size than its operators have signed', async () => {
    const { apply } = memoryIndex()
    const receipts = [await receiptBy(0), await receiptBy(1)]
    for (const claim of falseClaims) {
      const { verdict } = apply(kinds.track.number, track, trackContent(receipts, claim))
      expect(verdict.verdict).toBe('invalidReceipt')
    }
  })

  test('does not count two operators of one controller as two', async () => {
    const [first, second, third] = operators as [Operator, Operator, Operator]
    const { apply } = memoryIndex([first, { ...second, controller: first.controller }, third])
    const receipts = [await receiptBy(0), await receiptBy(1)]
    expect(apply(kinds.track.number, track, trackContent(receipts)).verdict.verdict).toBe('invalidReceipt')
  })

  test('can be renamed without new receipts, but not given other audio', async () => {
    const { apply, state } = memoryIndex()
    const first = apply(kinds.track.number, track, trackContent([await receiptBy(0), await receiptBy(1)]))
    const prev = first.action.hash
    const other = await cidOf(new Uint8Array([3]), 'dag-json')
    const swapped = apply(kinds.track.number, track, trackContent([], { prev, manifest: other }))
    expect(swapped.verdict.verdict).toBe('missingReceipts')
    for (const claim of [...falseClaims, { durationMs: 1 }]) {
      const claimed = apply(kinds.track.number, track, trackContent([], { prev, ...claim }))
      expect(claimed.verdict.verdict).toBe('missingReceipts')
    }
    const renamed = apply(kinds.track.number, track, trackContent([], { prev, title: 'Ut queant laxis' }))
    expect(renamed.verdict.verdict).toBe('applied')
    expect(state.get(subjectKey(track))).toMatchObject({
      body: { title: 'Ut queant laxis', operators: [operators[0]?.operator, operators[1]?.operator] },
    })
  })

  test('is a tombstone for ever once it is deleted', async () => {
    const { apply } = memoryIndex()
    const receipts = [await receiptBy(0), await receiptBy(1)]
    const { action } = apply(kinds.track.number, track, trackContent(receipts))
    const gone = apply(kinds.delete.number, track, { prev: action.hash })
    expect(gone.verdict.verdict).toBe('applied')
    const again = apply(kinds.track.number, track, trackContent(receipts, { prev: gone.action.hash }))
    expect(again.verdict.verdict).toBe('deleted')
    expect(
      apply(kinds.delete.number, subjectOf(author, 9n), { prev: gone.action.hash }).verdict.verdict,
    ).toBe('stalePrev')
  })

  test('credits what it is made of, which must be there when it says so first', async () => {
    const { apply, state } = memoryIndex()
    const receipts = [await receiptBy(0), await receiptBy(1)]
    const source = apply(kinds.track.number, track, trackContent(receipts)).action.hash
    const remix = subjectOf(author, 8n)
    const of = (origin: string) => ({ remixOf: [{ track: origin, credit: 'Hymn by Guido' }] })
    const content = trackContent([await receiptBy(0, remix), await receiptBy(1, remix)]) as Record<
      string,
      Json
    >
    const verdictOf = (fields: Record<string, Json>) =>
      apply(kinds.track.number, remix, { ...content, ...fields }).verdict.verdict
    expect(verdictOf(of(subjectOf(author, 99n)))).toBe('notFound')
    expect(verdictOf(of(remix))).toBe('wrongSubject')
    expect(verdictOf({ stemOf: { track: subjectOf(stranger, 1n), part: 'bass' } })).toBe('notFound')
    expect(verdictOf(of(track))).toBe('applied')
    apply(kinds.delete.number, track, { prev: source })
    const { digest } = state.get(subjectKey(remix)) as { digest: string }
    expect(verdictOf({ ...of(track), prev: digest, receipts: [], title: 'Again' })).toBe('applied')
    expect(state.get(subjectKey(remix))).toMatchObject({ body: { ...of(track), title: 'Again' } })
  })

  test('is a stem of a piece of the same author, and of no other stem', async () => {
    const { apply } = memoryIndex()
    const put = async (number: bigint, fields: Record<string, Json> = {}, by = author) => {
      const subject = subjectOf(by, number)
      const receipts = [await receiptBy(0, subject), await receiptBy(1, subject)]
      const signed = { author: by, signer: by }
      return apply(kinds.track.number, subject, trackContent(receipts, fields), signed).verdict.verdict
    }
    const stemOf = (number: bigint, by = author) => ({
      stemOf: { track: subjectOf(by, number), part: 'bass' },
    })
    expect([await put(7n), await put(1n, {}, stranger)]).toEqual(['applied', 'applied'])
    expect(await put(8n, stemOf(1n, stranger))).toBe('wrongSubject')
    expect(await put(8n, stemOf(8n))).toBe('wrongSubject')
    expect(await put(8n, stemOf(7n))).toBe('applied')
    expect(await put(9n, stemOf(8n))).toBe('wrongSubject')
  })

  const origin = (number: number) => ({ track: subjectOf(stranger, BigInt(number)), credit: 'x' })
  const person = { name: 'Guido', role: 'singer' }
  test.each<[string, Json, Json]>([
    ['title', 'x'.repeat(200), 'x'.repeat(201)],
    ['artist', 'x', ''],
    ['album', 'x'.repeat(200), 'a\nb'],
    ['genre', 'x'.repeat(60), 'x'.repeat(61)],
    ['tags', Array(10).fill('x'), Array(11).fill('x')],
    ['description', 'a\nb', 'x'.repeat(2001)],
    ['isrc', 'DEA012345678', 'DE-A01-23-45678'],
    ['licence', 'CC-BY-4.0', 'do what you like'],
    ['rightsHeld', true, false],
    ['releaseAtMs', 253_402_300_799_999, 253_402_300_800_000],
    ['remixOf', [1, 2, 3, 4, 5].map(origin), [1, 2, 3, 4, 5, 6].map(origin)],
    ['remixOf', [origin(1), origin(2)], [origin(1), origin(1)]],
    ['credits', Array(30).fill(person), Array(31).fill(person)],
    ['credits', [{ ...person, user: stranger }], [{ ...person, user: 'guido' }]],
    ['durationMs', 1, 0],
    ['receipts', [], Array(7).fill({})],
  ])('keeps to the limits of %s', (name, good, bad) => {
    const verdictOf = (value: Json) =>
      memoryIndex().apply(kinds.track.number, track, trackContent([], { [name]: value })).verdict
    expect(verdictOf(good).verdict).not.toBe('malformed')
    expect(verdictOf(bad)).toEqual({ verdict: 'malformed', reason: expect.stringContaining(name) })
  })

  test('keeps what version 1 of the rules did not know out of it', async () => {
    const { apply } = memoryIndex(undefined, 1)
    const receipts = [await receiptBy(0), await receiptBy(1)]
    const early = trackContent(receipts, { releaseAtMs: 5 })
    expect(apply(kinds.track.number, track, early).verdict.verdict).toBe('malformed')
    expect(apply(kinds.track.number, track, trackContent(receipts)).verdict.verdict).toBe('applied')
  })
})
