import type { SubjectState } from '@hexachord/protocol/actions'
import { type Subject, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { startTill, type TillServer, testNode, testPrice, testSubject } from './fixtures/index.ts'
import { createFreeElsewhere } from './free-elsewhere.ts'

const [free, copy] = [subjectOf(testNode, 5n), subjectOf(testNode, 6n)]

/** When each track with the manifest was published. */
let publishedAt: Map<Subject, number>
let server: TillServer
let changed: () => void
beforeEach(async () => {
  publishedAt = new Map([[testSubject, 2]])
  const stateOf = (subject: Subject) => {
    const atMs = publishedAt.get(subject)
    const body = { manifest: 'baguqeera' }
    const state = {
      kind: 'track',
      author: testNode,
      deleted: false,
      createdAtMs: atMs,
      updatedAtMs: atMs,
      body,
    }
    return atMs === undefined ? undefined : (state as unknown as SubjectState)
  }
  const { isFreeElsewhere } = createFreeElsewhere({
    catalogue: {
      subject: stateOf,
      tracksWith: () =>
        [...publishedAt.keys()].flatMap((subject) => {
          const state = stateOf(subject)
          return state === undefined ? [] : [{ subject, state }]
        }),
      onChange(listener) {
        const change = { actions: [], operators: false, ranks: false, reorganised: false }
        changed = () => listener({ ...change, subjects: [testSubject] })
        return () => undefined
      },
    },
    view: { termsOf: (track) => server.chain.termsOf(track), onChange: () => () => undefined },
  })
  server = await startTill({ isFreeElsewhere })
})
afterEach(() => server.close())

function publish(subject: Subject, atMs: number): void {
  publishedAt.set(subject, atMs)
  changed()
}

function sell(subject: Subject, unitPrice = testPrice): void {
  server.chain.terms.set(subjectToBytes32(subject), { unitPrice, nodeBps: 1_500, curatorBps: 0, version: 1 })
  server.till.paidBlocks.add(subject, server.loaded)
}

const asked = async () => {
  const response = await server.get(`/ipfs/${server.segment(3)}`)
  return [response.status, response.status === 402 ? (await response.json()).subject : undefined]
}

test('a track that is sold stays so when somebody publishes it for nothing, and then sells it, too', async () => {
  publish(free, 3)
  publish(copy, 4)
  sell(copy)
  expect(await asked()).toEqual([402, testSubject])
  sell(copy, 1n)
  expect(await asked()).toEqual([402, testSubject])
})

test('a track that is free stays so when two others sell it', async () => {
  publish(free, 1)
  publish(copy, 4)
  sell(copy)
  expect(await asked()).toEqual([200, undefined])
})
