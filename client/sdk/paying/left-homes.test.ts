import { unitsOfBlocks } from '@hexachord/protocol/payments'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  answerProblem,
  connectionTo,
  mapPurseMemory,
  operatorOf,
  purseAt,
  segmentsOf,
  serveOperators,
  startTill,
  subject,
  type TillFixture,
  type TillOptions,
  unitPrice,
  until,
} from '../fixtures/index.ts'
import { emptyState, type Purse, playPaid } from './index.ts'
import { isAvoided, withoutHome } from './purse-state.ts'

const { track, blocks } = await exampleTrack()
const units = unitsOfBlocks(track)
const segments = segmentsOf(track, 2)
const dayMs = 86_400_000
const node = `0x${'ab'.repeat(20)}` as const

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function tillOf(options: Partial<TillOptions> = {}): Promise<TillFixture> {
  const till = await startTill({ blocks, track, subject, unitPrice, ...options })
  closing.push(till.close)
  return till
}

/** A purse whose homes are the first two of these. */
async function purseOf(tills: readonly TillFixture[], now = Date.now) {
  const discovery = await serveOperators(tills.map((till) => operatorOf(till)))
  closing.push(discovery.close)
  const homes = tills.slice(0, 2).map(({ operator }) => operator)
  const memory = mapPurseMemory({ ...emptyState(), homes })
  const connection = { ...connectionTo({ discovery: discovery.origin }), now }
  return { memory, purse: await purseAt(discovery, { memory, connection }) }
}

async function hear(purse: Purse): Promise<string[]> {
  const play = await playPaid(purse, { track: subject })
  const sources: string[] = []
  for (const cid of segments) sources.push((await play?.block(cid, units.get(cid) ?? 0))?.source ?? '')
  return sources
}

const wrongBytes: Partial<TillOptions> = {
  onBlock: (_request, response, block) => !!response.end(block.toReversed()),
}
const unpaid: Partial<TillOptions> = {
  report: (report) => ({ ...report, credit: 0n, paidUnits: [] }),
}

describe('a node that takes money', () => {
  test.each([
    ['and sends wrong bytes', wrongBytes],
    ['and says that it was not paid', unpaid],
  ])('%s takes a few units once, however much is heard after that', async (_, options) => {
    const [bad, good] = [await tillOf(options), await tillOf()]
    const { purse, memory } = await purseOf([bad, good])
    const lost: bigint[] = []
    for (let play = 0; play < 5; play += 1) {
      expect(await hear(purse)).toEqual(segments.map(() => good.origin))
      lost.push(purse.channel(bad.operator).cumulative)
    }
    expect(lost[0]).toBeLessThanOrEqual(3n * unitPrice)
    expect(lost).toEqual(lost.map(() => lost[0]))
    expect(memory.state.homes).toEqual([good.operator])
  })

  test('and gives nothing is no home any more where the other home does so, too', async () => {
    const [one, other, good] = [await tillOf(wrongBytes), await tillOf(wrongBytes), await tillOf()]
    const { purse, memory } = await purseOf([one, other, good])
    await expect(hear(purse)).rejects.toThrow()
    await until('both are left', () => memory.state.homes.length === 0)
    expect(await hear(purse)).toEqual(segments.map(() => good.origin))
  })

  test('and gives nothing is tried again a day later, and then after twice as long', async () => {
    let nowMs = Date.now()
    const [bad, good] = [
      await tillOf({ ...wrongBytes, now: () => nowMs }),
      await tillOf({ now: () => nowMs }),
    ]
    const { purse } = await purseOf([bad, good], () => nowMs)
    await hear(purse)
    const untilMs = nowMs + dayMs
    expect(purse.isAvoided(bad.operator)).toBe(true)
    nowMs = untilMs
    expect(purse.isAvoided(bad.operator)).toBe(false)
  })
})

describe('a node that fails', () => {
  test('is asked where nobody else is left, and not only to be quicker', async () => {
    let isAway = false
    const failing: Partial<TillOptions> = {
      intercept(_request, response) {
        if (isAway) answerProblem(response, 500, 'no')
        return isAway
      },
    }
    const [node, other] = [await tillOf(), await tillOf(failing)]
    const { purse } = await purseOf([node, other])
    await purse.leave(node.operator)
    expect(await hear(purse)).toEqual(segments.map(() => other.origin))
    expect(node.requests.filter((line) => line.startsWith('POST'))).toEqual([])
    isAway = true
    expect(await hear(purse)).toEqual(segments.map(() => node.origin))
  })

  test('stays a home where all of them fail, which may be our own network', async () => {
    let isAway = false
    const failing: Partial<TillOptions> = {
      intercept: (request) => isAway && !!request.socket.destroy(),
    }
    const [one, other] = [await tillOf(failing), await tillOf(failing)]
    const { purse, memory } = await purseOf([one, other])
    const play = await playPaid(purse, { track: subject })
    const [first = '', second = ''] = segments
    await play?.block(first, 0)
    isAway = true
    await expect(play?.block(second, 1)).rejects.toThrow()
    expect(memory.state.homes).toEqual([one.operator, other.operator])
    expect(memory.state.avoided).toEqual({})
  })

  test('is avoided for a day, for twice as long each time, a month at most, and begins anew after one', () => {
    let state = { ...emptyState(), homes: [node] }
    let nowMs = 0
    const days: number[] = []
    for (let times = 0; times < 7; times += 1) {
      state = withoutHome(state, node, nowMs)
      // Twice at once is once.
      expect(withoutHome(state, node, nowMs)).toBe(state)
      const untilMs = state.avoided[node]?.untilMs ?? 0
      days.push((untilMs - nowMs) / dayMs)
      nowMs = untilMs
      expect([isAvoided(state, node, nowMs - 1), isAvoided(state, node, nowMs)]).toEqual([true, false])
    }
    expect(days).toEqual([1, 2, 4, 8, 16, 32, 32])
    expect(state.homes).toEqual([])
    nowMs += 32 * dayMs
    expect(withoutHome(state, node, nowMs).avoided[node]).toEqual({ times: 1, untilMs: nowMs + dayMs })
  })

  test('is one of a few that are remembered', () => {
    let state = emptyState()
    for (let number = 0; number < 100; number += 1) {
      state = withoutHome(state, `0x${number.toString(16).padStart(40, '0')}`, number)
    }
    expect(Object.keys(state.avoided).length).toBeLessThanOrEqual(65)
  })
})
