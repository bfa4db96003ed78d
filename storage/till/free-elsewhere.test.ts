import type { SubjectState } from '@hexachord/protocol/actions'
import { type Subject, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { expect, test } from '@jest/globals'
import { createFreeElsewhere } from './free-elsewhere.ts'

const author = `0x${'0a'.repeat(20)}` as const
const [old, sold, late] = [subjectOf(author, 1n), subjectOf(author, 2n), subjectOf(author, 3n)]
const manifest = 'baguqeera'

function world(times: Map<Subject, [created: number, updated: number]>, prices: Map<Subject, bigint>) {
  const stateOf = (subject: Subject) => {
    const [createdAtMs, updatedAtMs] = times.get(subject) ?? [0, 0]
    const state = { kind: 'track', author, deleted: false, createdAtMs, updatedAtMs, body: { manifest } }
    return state as unknown as SubjectState
  }
  let changed = () => {}
  const { isFreeElsewhere } = createFreeElsewhere({
    catalogue: {
      subject: stateOf,
      tracksWith: () => [...times.keys()].map((subject) => ({ subject, state: stateOf(subject) })),
      onChange: () => () => {},
    },
    view: {
      termsOf(track) {
        const [, unitPrice] = [...prices].find(([subject]) => subjectToBytes32(subject) === track) ?? []
        return unitPrice === undefined ? undefined : { unitPrice, nodeBps: 0, curatorBps: 0, version: 1 }
      },
      onChange(listener) {
        changed = () => listener({ channels: [], tracks: [subjectToBytes32(old)] })
        return () => {}
      },
    },
  })
  return { isFree: () => isFreeElsewhere('', { subject: sold }), changed: () => changed() }
}

test('music that was free before somebody sold it stays free, until its own track has a price', () => {
  const prices = new Map([[sold, 100n]])
  const { isFree, changed } = world(
    new Map([
      [old, [1, 1]],
      [sold, [2, 9]],
    ]),
    prices,
  )
  expect(isFree()).toBe(true)
  prices.set(old, 50n)
  changed()
  expect(isFree()).toBe(false)
})

test('music that is sold stays so when somebody gives it away later, by a new track or by one of before', () => {
  const prices = new Map([[sold, 100n]])
  expect(
    world(
      new Map([
        [sold, [2, 2]],
        [late, [3, 3]],
      ]),
      prices,
    ).isFree(),
  ).toBe(false)
  expect(
    world(
      new Map([
        [sold, [2, 2]],
        [old, [1, 3]],
      ]),
      prices,
    ).isFree(),
  ).toBe(false)
  expect(world(new Map([[sold, [2, 2]]]), prices).isFree()).toBe(false)
})
