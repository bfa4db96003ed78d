import type { Address, Subject } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { dutyOf, retryDelayMs } from './duty-of.ts'
import type { Holding } from './holding-store.ts'
import { type DutyFacts, planDuty } from './plan-duty.ts'

const self: Address = `0x${'01'.repeat(20)}`
const subject: Subject = `0x${'aa'.repeat(20)}-1`

function ranked(...names: number[]): Operator[] {
  return names.map((name) => ({
    operator: `0x${String(name).padStart(2, '0').repeat(20)}`,
    controller: `0x${String(name).padStart(2, '0').repeat(20)}`,
    endpoint: `https://${name}.example`,
    peerId: '0x',
    hotKey: `0x${'00'.repeat(20)}`,
    capacityBytes: 1n,
    exiting: false,
    stakeWei: 1n,
    active: true,
  }))
}

describe('this node has to hold a track', () => {
  test('when its own receipt was published with it, whatever its rank', () => {
    expect(dutyOf({ operators: [self] }, { operators: ranked(2, 3, 4, 1), copies: 3 }, self)).toBe('receipt')
    expect(dutyOf({ operators: [self] }, { operators: [], copies: 0 }, self)).toBe('receipt')
  })

  test('when it is among the first as many operators as there shall be copies', () => {
    const track = { operators: [] }
    expect(dutyOf(track, { operators: ranked(2, 3, 1, 4), copies: 3 }, self)).toBe('rank')
    expect(dutyOf(track, { operators: ranked(2, 3, 4, 1), copies: 3 }, self)).toBeUndefined()
    expect(dutyOf(track, { operators: ranked(2, 1), copies: 1 }, self)).toBeUndefined()
  })
})

const holding: Holding = {
  subject,
  manifest: 'one',
  byteLength: 10,
  state: 'held',
  dueAt: 0,
  attempts: 0,
  reason: null,
}

const facts: DutyFacts = {
  track: { subject, manifest: 'one', byteLength: 10 },
  duty: 'receipt',
  pinned: true,
  holdings: [],
  now: 1_000,
  releaseGraceMs: 500,
  patienceMs: 60,
}

describe('the plan for a subject', () => {
  test('notes a new duty as held when it is pinned, and else as missing', () => {
    expect(planDuty(facts)).toEqual([{ ...holding, dueAt: 1_000 }])
    expect(planDuty({ ...facts, pinned: false })).toMatchObject([{ state: 'missing', dueAt: 1_000 }])
  })

  test('leaves a track that only the rank assigns to the offers for a while', () => {
    expect(planDuty({ ...facts, pinned: false, duty: 'rank' })).toMatchObject([
      { state: 'missing', dueAt: 1_060 },
    ])
  })

  test('is empty for what is no duty, and for what is noted already', () => {
    expect(planDuty({ ...facts, duty: undefined })).toEqual([])
    expect(planDuty({ ...facts, holdings: [holding] })).toEqual([])
    expect(planDuty({ ...facts, pinned: false, holdings: [{ ...holding, state: 'missing' }] })).toEqual([])
  })

  test('keeps a copy for as long as the track lives, also when others are to hold it now', () => {
    expect(planDuty({ ...facts, duty: undefined, holdings: [holding] })).toEqual([])
  })

  test('lets go what was deleted, after the grace, once', () => {
    const gone = { ...facts, track: undefined, duty: undefined, holdings: [holding] }
    const [released] = planDuty(gone)
    expect(released).toMatchObject({ state: 'releasing', dueAt: 1_500 })
    expect(planDuty({ ...gone, now: 1_400, holdings: released ? [released] : [] })).toEqual([])
  })

  test('lets go what was replaced and takes what replaces it', () => {
    const track = { subject, manifest: 'two', byteLength: 20 }
    expect(planDuty({ ...facts, track, pinned: false, holdings: [holding] })).toMatchObject([
      { manifest: 'one', state: 'releasing', dueAt: 1_500 },
      { manifest: 'two', state: 'missing', byteLength: 20, dueAt: 1_000 },
    ])
  })

  test('takes up again what comes back before it was let go', () => {
    const releasing: Holding = { ...holding, state: 'releasing', dueAt: 1_400 }
    expect(planDuty({ ...facts, holdings: [releasing] })).toMatchObject([{ manifest: 'one', state: 'held' }])
    expect(planDuty({ ...facts, duty: undefined, holdings: [releasing] })).toMatchObject([{ state: 'held' }])
  })
})

test('tries in vain come ever more seldom, never all at once, and never stop', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempts, random) => {
        const delay = retryDelayMs(attempts, random)
        const longest = Math.min(2_000 * 2 ** (attempts - 1), 600_000)
        expect(delay).toBeGreaterThanOrEqual(longest / 2)
        expect(delay).toBeLessThanOrEqual(longest)
      },
    ),
  )
})
