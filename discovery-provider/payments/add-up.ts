import type { Address, Subject } from '@hexachord/protocol/names'
import { shareOut, type Terms } from '@hexachord/protocol/payments'
import { ZeroAddress } from 'ethers'
import type { PaymentEntry } from './read-range.ts'

/** What entries change in the books; amounts may be negative. */
export type Sums = {
  readonly tracks: readonly TrackSum[]
  readonly accounts: readonly AccountSum[]
  readonly operators: readonly OperatorSum[]
}
type TrackSum = {
  track: Subject
  version: number
  units: bigint
  paid: bigint
  earned: bigint
  distributed: bigint
}
type AccountSum = {
  account: Address
  day: string
  track: Subject
  version: number
  share: 'payee' | 'curator'
  owner: Address
  units: bigint
  earned: bigint
  distributed: bigint
}
type OperatorSum = { operator: Address; day: string; units: bigint; paid: bigint; earned: bigint }

/**
 * Adds entries up, or takes the same ones off again. A payee's part of a line is by how much it grows what the payee would
 * have if all that the track ever earned were split at once: so it makes no difference in how many steps the books were
 * written, and together they are what was earned, to the unit.
 * @param entries in the order of the chain
 * @param earnedSofar of a track under terms of a number, at the end where they begin
 */
export function addUp(
  entries: readonly PaymentEntry[],
  direction: 'add' | 'takeOff',
  earnedSofar: (track: Subject, version: number) => bigint,
  termsOf: (track: Subject, version: number) => Terms,
): Sums {
  const sign = direction === 'add' ? 1n : -1n
  const tracks = new Map<string, TrackSum>()
  const accounts = new Map<string, AccountSum>()
  const operators = new Map<string, OperatorSum>()

  function accountIn(
    { day, track, version, owner }: PaymentEntry,
    account: Address,
    share: AccountSum['share'],
  ): AccountSum {
    const key = `${account} ${day} ${track} ${version} ${share} ${owner}`
    const empty = {
      ...{ account, day, track, version, share, owner },
      units: 0n,
      earned: 0n,
      distributed: 0n,
    }
    return entryOf(accounts, key, empty)
  }

  for (const entry of direction === 'add' ? entries : entries.toReversed()) {
    const { track, version, day } = entry
    const ofTrack = entryOf(tracks, `${track} ${version}`, {
      ...{ track, version },
      ...{ units: 0n, paid: 0n, earned: 0n, distributed: 0n },
    })
    if (entry.type === 'payout') {
      ofTrack.distributed += sign * entry.amount
      if (entry.amount > 0n) accountIn(entry, entry.payee, 'payee').distributed += sign * entry.amount
      continue
    }
    const { node, curator, units, paid, nodeShare, curatorShare, trackShare } = entry
    const before = earnedSofar(track, version) + ofTrack.earned
    ofTrack.units += sign * units
    ofTrack.paid += sign * paid
    ofTrack.earned += sign * trackShare
    const { payees, payeeBps } = termsOf(track, version)
    const [was, is] = [shareOut(before, 0n, payeeBps), shareOut(before + sign * trackShare, 0n, payeeBps)]
    for (const [index, payee] of payees.entries()) {
      const sum = accountIn(entry, payee, 'payee')
      // Who is named as payee twice has heard a unit once.
      if (payees.indexOf(payee) === index) sum.units += sign * units
      sum.earned += (is[index] ?? 0n) - (was[index] ?? 0n)
    }
    if (curator !== ZeroAddress && curatorShare > 0n) {
      const sum = accountIn(entry, curator, 'curator')
      sum.units += sign * units
      sum.earned += sign * curatorShare
      sum.distributed += sign * curatorShare
    }
    const ofOperator = entryOf(operators, `${node} ${day}`, {
      ...{ operator: node, day },
      ...{ units: 0n, paid: 0n, earned: 0n },
    })
    ofOperator.units += sign * units
    ofOperator.paid += sign * paid
    ofOperator.earned += sign * nodeShare
  }
  return {
    tracks: [...tracks.values()],
    accounts: [...accounts.values()],
    operators: [...operators.values()],
  }
}

function entryOf<Value>(map: Map<string, Value>, key: string, empty: Value): Value {
  const value = map.get(key) ?? empty
  map.set(key, value)
  return value
}
