import type { SubjectState } from '@hexachord/protocol/actions'
import { type Subject, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { expect, test } from '@jest/globals'
import { createFreeElsewhere } from './free-elsewhere.ts'

const author = `0x${'0a'.repeat(20)}` as const
const [free, sold, copy] = [subjectOf(author, 1n), subjectOf(author, 2n), subjectOf(author, 3n)]
const manifest = 'baguqeera'

/** @param tracks with the manifest, those that had it first before others */
function world(tracks: readonly Subject[], prices: Map<Subject, bigint>) {
  const state = { kind: 'track', author, deleted: false, body: { manifest } } as unknown as SubjectState
  let changed = () => {}
  const { isFreeElsewhere, sellerOf } = createFreeElsewhere({
    catalogue: {
      subject: () => state,
      tracksWith: () => tracks.slice(0, 64).map((subject) => ({ subject, state })),
      onChange: () => () => {},
    },
    view: {
      termsOf(track) {
        const [, unitPrice] = [...prices].find(([subject]) => subjectToBytes32(subject) === track) ?? []
        return unitPrice === undefined ? undefined : { unitPrice, nodeBps: 0, curatorBps: 0, version: 1 }
      },
      onChange(listener) {
        changed = () => listener({ channels: [], tracks: [subjectToBytes32(free)] })
        return () => {}
      },
    },
  })
  return {
    isFree: (subject: Subject) => isFreeElsewhere('', { subject }),
    seller: () => sellerOf(manifest),
    setPrice(subject: Subject, price: bigint) {
      prices.set(subject, price)
      changed()
    },
  }
}

test('music that was free before somebody sold it stays free, but for as long as its own track has a price', () => {
  const { isFree, seller, setPrice } = world([free, sold], new Map([[sold, 100n]]))
  expect([isFree(sold), seller()]).toEqual([true, undefined])
  setPrice(free, 50n)
  expect([isFree(sold), isFree(free), seller()]).toEqual([false, false, free])
  setPrice(free, 0n)
  expect([isFree(sold), seller()]).toEqual([true, undefined])
})

test('music that is sold stays so when somebody gives it away later, and is sold by who sold it first', () => {
  const { isFree, seller } = world([sold, free, copy], new Map([sold, copy].map((one) => [one, 100n])))
  expect([isFree(sold), isFree(copy), seller()]).toEqual([false, true, sold])
  expect(world([sold], new Map([[sold, 100n]])).isFree(sold)).toBe(false)
})

test('music that is free stays so however many sell it later', () => {
  const sellers = Array.from({ length: 100 }, (_, index) => subjectOf(author, BigInt(index + 10)))
  const { isFree, seller } = world([free, ...sellers], new Map(sellers.map((one) => [one, 100n])))
  expect([sellers.every(isFree), seller()]).toEqual([true, undefined])
})

test('music that nobody has published is sold by nobody', () => {
  const { isFree, seller } = world([], new Map([[sold, 100n]]))
  expect([isFree(sold), seller()]).toEqual([false, undefined])
})
