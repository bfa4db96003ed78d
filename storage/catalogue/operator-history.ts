import {
  type ChainLog,
  decodeOperatorLog,
  type OperatorEvent,
  type OperatorSet,
  operatorsAt,
} from '@hexachord/protocol/operators'

/** What the chain has said about operators so far, and who they were after any block. */
export type OperatorHistory = {
  /** In the order of the chain. */
  events(): readonly OperatorEvent[]
  at(block: number): OperatorSet
  add(events: readonly OperatorEvent[]): void
  /** Forgets what was said above a block. @returns whether there was anything */
  undoTo(block: number): boolean
}

/** Sets are asked for at the head and at the starts of two epochs; some more, for actions in older blocks. */
const keptSets = 16

export function createOperatorHistory(logs: readonly ChainLog[], minimumStakeWei: bigint): OperatorHistory {
  let events = logs.flatMap((log) => decodeOperatorLog(log) ?? [])
  const sets = new Map<number, OperatorSet>()

  return {
    events: () => events,
    at(block) {
      // The set changes only with an event, so there is one per count of events.
      const count = countUpTo(events, block)
      const known = sets.get(count)
      if (known !== undefined) return known
      const set = operatorsAt(events.slice(0, count), block, minimumStakeWei)
      for (const oldest of sets.keys()) {
        if (sets.size < keptSets) break
        sets.delete(oldest)
      }
      sets.set(count, set)
      return set
    },
    add(more) {
      events = [...events, ...more]
    },
    undoTo(block) {
      const count = countUpTo(events, block)
      if (count === events.length) return false
      events = events.slice(0, count)
      sets.clear()
      return true
    },
  }
}

function countUpTo(events: readonly OperatorEvent[], block: number): number {
  return events.findLastIndex((event) => event.block <= block) + 1
}
