import type { Subject } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Holding } from './holding-store.ts'
import { type DutyFacts, planDuty } from './plan-duty.ts'
import { type Standing, urgencies } from './standing.ts'

const subject: Subject = `0x${'aa'.repeat(20)}-1`

const duty: Standing = { kind: 'duty', copies: 3, turn: 0 }
const promised: Standing = { kind: 'promised', copies: 3, turn: 0 }
const reserve: Standing = { kind: 'reserve', copies: 3, turn: 0 }
const none: Standing = { kind: 'none', copies: 3, turn: 3 }

const holding: Holding = {
  subject,
  manifest: 'one',
  byteLength: 10,
  state: 'held',
  extra: false,
  urgency: urgencies.soon,
  dueAt: 0,
  attempts: 0,
  reason: null,
}

const facts: DutyFacts = {
  track: { subject, manifest: 'one', byteLength: 10 },
  standing: duty,
  live: 2,
  wasLetGo: false,
  pinned: true,
  holdings: [],
  now: 1_000,
  releaseGraceMs: 500,
  times: { patienceMs: 60, graceMs: 900, urgentStepMs: 10 },
  random: 0,
}

describe('the plan for a subject', () => {
  test('notes a new duty as held when it is pinned, and else as missing', () => {
    expect(planDuty(facts)).toEqual([{ ...holding, dueAt: 1_000 }])
    expect(planDuty({ ...facts, pinned: false, standing: promised })).toMatchObject([
      { state: 'missing', dueAt: 1_000 },
    ])
  })

  test('leaves a track that only the rank assigns to the offers for a while', () => {
    expect(planDuty({ ...facts, pinned: false })).toMatchObject([{ state: 'missing', dueAt: 1_060 }])
  })

  test('brings what has fewer than two copies at once, and before everything else', () => {
    for (const live of [0, 1]) {
      expect(planDuty({ ...facts, pinned: false, live })).toMatchObject([
        { state: 'missing', dueAt: 1_000, urgency: urgencies.urgent },
      ])
    }
  })

  test('takes what others hold over from them after everything else', () => {
    expect(planDuty({ ...facts, pinned: false, live: 3 })).toMatchObject([
      { state: 'missing', urgency: urgencies.spare },
    ])
  })

  test('is empty for what is no duty, and for what is noted already', () => {
    expect(planDuty({ ...facts, pinned: false, standing: none })).toEqual([])
    expect(planDuty({ ...facts, pinned: false, standing: reserve, live: 3 })).toEqual([])
    expect(planDuty({ ...facts, holdings: [holding] })).toEqual([])
    expect(planDuty({ ...facts, pinned: false, holdings: [{ ...holding, state: 'missing' }] })).toEqual([])
  })

  test('stands in for others: after a grace when one copy is missing, at once when one is left', () => {
    const inReserve = { ...facts, pinned: false, standing: reserve }
    expect(planDuty(inReserve)).toMatchObject([{ state: 'missing', extra: true, dueAt: 1_900 }])
    const [soon] = planDuty(inReserve)
    if (soon === undefined) throw new Error('nothing was noted')
    const [urgent] = planDuty({ ...inReserve, live: 1, holdings: [soon] })
    expect(urgent).toMatchObject({ dueAt: 1_010, urgency: urgencies.urgent })
    expect(urgent && planDuty({ ...inReserve, live: 1, holdings: [urgent] })).toEqual([])
  })

  test('keeps a copy that is one too many until others have proved theirs, and has it looked at', () => {
    for (const standing of [none, reserve, promised]) {
      expect(planDuty({ ...facts, standing, holdings: [holding] })).toMatchObject([
        { state: 'held', extra: true, dueAt: 1_000 },
      ])
    }
  })

  test('keeps a copy that was about to go when it becomes a duty again', () => {
    const going: Holding = { ...holding, state: 'releasing', extra: true, dueAt: 1_400 }
    expect(planDuty({ ...facts, holdings: [going] })).toMatchObject([{ state: 'held', extra: false }])
    expect(planDuty({ ...facts, standing: reserve, live: 3, holdings: [going] })).toEqual([])
  })

  test('does not take back at once what others have taken over, only when they fail', () => {
    const handedOver = { ...facts, standing: promised, pinned: false, wasLetGo: true }
    expect(planDuty({ ...handedOver, live: 3 })).toEqual([])
    expect(planDuty({ ...handedOver, live: 2 })).toMatchObject([{ state: 'missing', dueAt: 1_900 }])
    expect(planDuty({ ...handedOver, standing: duty, live: 3 })).toMatchObject([{ state: 'missing' }])
  })

  test('lets go what was deleted, after the grace, once', () => {
    const gone = { ...facts, track: undefined, standing: none, holdings: [holding] }
    const [released] = planDuty(gone)
    expect(released).toMatchObject({ state: 'releasing', dueAt: 1_500 })
    expect(planDuty({ ...gone, now: 1_400, holdings: released ? [released] : [] })).toEqual([])
  })

  test('lets go what was replaced and takes what replaces it', () => {
    const track = { subject, manifest: 'two', byteLength: 20 }
    expect(
      planDuty({ ...facts, standing: promised, track, pinned: false, holdings: [holding] }),
    ).toMatchObject([
      { manifest: 'one', state: 'releasing', dueAt: 1_500 },
      { manifest: 'two', state: 'missing', byteLength: 20, dueAt: 1_000 },
    ])
  })

  test('takes up again what comes back before it was let go', () => {
    const releasing: Holding = { ...holding, state: 'releasing', dueAt: 1_400 }
    expect(planDuty({ ...facts, holdings: [releasing] })).toMatchObject([{ manifest: 'one', state: 'held' }])
    expect(planDuty({ ...facts, standing: none, holdings: [releasing] })).toMatchObject([{ state: 'held' }])
    expect(planDuty({ ...facts, pinned: false, holdings: [releasing] })).toMatchObject([
      { state: 'missing', dueAt: 1_000 },
    ])
  })
})

describe('whatever is known', () => {
  const anyFacts = fc.record({
    standing: fc.record({
      kind: fc.constantFrom('duty' as const, 'promised' as const, 'reserve' as const, 'none' as const),
      copies: fc.integer({ min: 1, max: 3 }),
      turn: fc.nat(5),
    }),
    live: fc.nat(6),
    wasLetGo: fc.boolean(),
    pinned: fc.boolean(),
    random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    holdings: fc.array(
      fc.record({
        manifest: fc.constantFrom('one', 'two'),
        state: fc.constantFrom('missing' as const, 'held' as const, 'releasing' as const),
        extra: fc.boolean(),
        urgency: fc.constantFrom(...Object.values(urgencies)),
        dueAt: fc.nat(5_000),
      }),
      { maxLength: 2 },
    ),
    isLive: fc.boolean(),
  })

  test('a copy of a live track is never let go by a plan, and planning again changes nothing', () => {
    fc.assert(
      fc.property(anyFacts, ({ isLive, holdings, ...rest }) => {
        const known = holdings
          .filter((one, index) => holdings.findIndex((other) => other.manifest === one.manifest) === index)
          .map((change): Holding => ({ ...holding, ...change }))
        const track = isLive ? facts.track : undefined
        const given: DutyFacts = { ...facts, ...rest, track, holdings: known }
        const changes = planDuty(given)
        const after = [
          ...known.filter((one) => !changes.some((change) => change.manifest === one.manifest)),
          ...changes,
        ]
        for (const { manifest, state, extra } of changes) {
          if (state === 'releasing') expect(manifest).not.toBe(track?.manifest)
          if (manifest === track?.manifest && state === 'held')
            expect(extra).toBe(rest.standing.kind !== 'duty')
        }
        const kept = known.filter(({ state }) => state === 'held').map(({ manifest }) => manifest)
        for (const manifest of kept) expect(after.some((one) => one.manifest === manifest)).toBe(true)
        expect(planDuty({ ...given, holdings: after })).toEqual([])
      }),
    )
  })
})
