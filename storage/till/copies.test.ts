import type { SubjectState } from '@hexachord/protocol/actions'
import { type Subject, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import {
  post,
  reportIn,
  startTill,
  type TillServer,
  testListener,
  testNode,
  testPrice,
  testSubject,
} from './fixtures/index.ts'
import { createFreeElsewhere } from './free-elsewhere.ts'

const [free, copy] = [subjectOf(testNode, 5n), subjectOf(testNode, 6n)]

/** Tracks with the manifest, those that had it first before others. */
let published: Subject[]
let server: TillServer
let changed: () => void
beforeEach(async () => {
  published = [testSubject]
  const body = { manifest: 'baguqeera' }
  const state = { kind: 'track', author: testNode, deleted: false, body } as unknown as SubjectState
  const { isFreeElsewhere } = createFreeElsewhere({
    catalogue: {
      subject: () => state,
      tracksWith: () => published.map((subject) => ({ subject, state })),
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

function publish(...inOrder: Subject[]): void {
  published = inOrder
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
  publish(testSubject, free, copy)
  sell(copy)
  expect(await asked()).toEqual([402, testSubject])
  sell(copy, 1n)
  expect(await asked()).toEqual([402, testSubject])
})

test('a track that is free stays so when two others sell it', async () => {
  publish(free, testSubject, copy)
  sell(copy)
  expect(await asked()).toEqual([200, undefined])
})

test('a track is heard for money however many others sell its blocks, also after it was published anew', async () => {
  const listener = testListener()
  const { address } = listener
  server.chain.channels.set(address + address, {
    reserved: 10_000n,
    released: 0n,
    releasing: 0n,
    settled: 0n,
  })
  const others = Array.from({ length: 20 }, (_, index) => subjectOf(testNode, BigInt(20 + index)))
  for (const other of others) sell(other)
  sell(testSubject)
  expect(server.till.paidBlocks.of(server.segment(3))[0]?.subject).toBe(testSubject)
  const opening = { ...(await listener.opening()), voucher: await listener.voucher(3n * testPrice) }
  const { session } = await reportIn(await post(server.origin, '/pay/sessions', opening))
  expect((await server.get(`/ipfs/${server.segment(3)}?s=${session}`)).status).toBe(200)
  // Where the others were taken up first.
  server.till.paidBlocks.remove(testSubject)
  sell(testSubject)
  expect(server.till.paidBlocks.of(server.segment(3))[20]?.subject).toBe(testSubject)
  expect((await server.get(`/ipfs/${server.segment(4)}?s=${session}`)).status).toBe(200)
  expect((await server.get(`/ipfs/${server.segment(5)}?s=${session}`)).status).toBe(200)
  const report = await reportIn(await server.get(`/pay/sessions/${session}`))
  expect([report.paidUnits, report.credit]).toEqual([[3, 4, 5], 0n])
  expect((await server.get(`/ipfs/${server.segment(6)}?s=${session}`)).status).toBe(402)
})

test('a track costs something behind any number of others that have its blocks and sell nothing', async () => {
  server.till.paidBlocks.remove(testSubject)
  for (let index = 0; index < 20; index++) sell(subjectOf(testNode, BigInt(20 + index)), 0n)
  sell(testSubject)
  expect(await asked()).toEqual([402, testSubject])
})
