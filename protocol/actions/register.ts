import * as z from 'zod'
import type { Json } from '../canonical/index.ts'
import { type Hash, userSubject } from '../names/index.ts'
import { type Change, type Place, type RuleInput, reject, type Verdict } from './rule.ts'

/**
 * A register is one value of an author's about one thing, such as whether it follows a user. It has an entry of its own
 * in the index (`follow/<author>/<user>`), so that nothing grows and a change costs the same however many there are.
 *
 * Its actions name no `prev`: they stand in no order with others, and whoever follows a hundred users in an evening, on
 * two devices, need not read what came before. They carry the time of the author's clock instead, and the latest wins
 * whatever the order in which relayers bring them. The entry stays when the value is taken back: a relayer that held an
 * old action back cannot revive it.
 */
export const clockMs = z.int().positive()

/** How far an author's clock may be ahead of the chain's: beyond that, a mistaken clock would lock a register for long. */
export const clockToleranceMs = 3_600_000

/** What every register keeps, beside its value. */
export type Register = {
  /** By the author's clock. */
  readonly atMs: number
  readonly digest: Hash
  /** By the clock of the block. */
  readonly setAtMs: number
  readonly block: number
  readonly logIndex: number
}

/** Whether an action comes in time for its register; a verdict if it does not. */
export function checkClock(known: Register | undefined, atMs: number, place: Place): Verdict | undefined {
  if (atMs > place.timestamp * 1000 + clockToleranceMs) {
    return reject('ahead', 'atMs is more than an hour ahead of the chain: set the clock right')
  }
  if (known !== undefined && atMs <= known.atMs) {
    return reject('outdated', `atMs must be above ${known.atMs}, that of the last accepted action`)
  }
  return undefined
}

/** Sets a register. @param value beside the time and place, which are those of the action */
export function setRegister(
  input: RuleInput<{ readonly atMs: number }>,
  key: string,
  value: { readonly [key: string]: Json | undefined },
): Change {
  const { atMs, block, digest, logIndex, setAtMs } = registerOf(input)
  // In the order of the canonical form where that is easy: what has to be sorted takes several times as long to write.
  return { key, value: { atMs, block, digest, logIndex, ...value, setAtMs } }
}

function registerOf({ action, content, place }: RuleInput<{ readonly atMs: number }>): Register {
  const { block, logIndex, timestamp } = place
  return { atMs: content.atMs, block, digest: action.hash, logIndex, setAtMs: timestamp * 1000 }
}

/** A register that is on or off: an edge between its author and something else. */
export type Edge = Register & {
  readonly on: boolean
  /** By the clock of the block in which it became what it is. Saying the same again changes nothing of it. */
  readonly sinceMs: number
}

export function setEdge(
  input: RuleInput<{ readonly atMs: number; readonly on: boolean }>,
  key: string,
): Verdict {
  const { on } = input.content
  const known = input.view.get(key) as Edge | undefined | null
  const sinceMs = known?.on === on ? known.sinceMs : input.place.timestamp * 1000
  const { atMs, block, digest, logIndex, setAtMs } = registerOf(input)
  // In the order of the canonical form, as above: most of what there is are edges.
  const value: Edge = { atMs, block, digest, logIndex, on, setAtMs, sinceMs }
  return { verdict: 'applied', changes: [{ key, value }] }
}

/** What an author does itself stands under its own name. */
export function checkOwnSubject({ action }: Pick<RuleInput<unknown>, 'action'>): Verdict | undefined {
  if (action.subject === userSubject(action.author)) return undefined
  return reject('wrongSubject', `the subject of this action is ${userSubject(action.author)}`)
}
