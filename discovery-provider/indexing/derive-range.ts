import { setImmediate as breathe } from 'node:timers/promises'
import type { Json } from '@hexachord/protocol/canonical'
import { applyRange, type CatalogueRules, type RangeResult } from '@hexachord/protocol/catalogue'
import type { Hash } from '@hexachord/protocol/names'
import type { OperatorEvent } from '@hexachord/protocol/operators'
import type { ChainRange } from './chain-records.ts'

/** Logs that are judged in one go. Checking three receipts takes some milliseconds, and this process answers
 * readers at the same time. */
const slicedLogs = 25

type Applied = Parameters<typeof applyRange>[0]

/** What follows from the logs of a range by the rules; writes nothing.
 * @param read current values of keys in the index */
export async function deriveRange({
  rules,
  range: { logs, blocks },
  stateHash,
  operatorEvents,
  read,
  signal,
}: {
  rules: CatalogueRules
  range: Pick<ChainRange, 'logs' | 'blocks'>
  /** Before the range. */
  stateHash: Hash
  /** All before the range, in order. */
  operatorEvents: readonly OperatorEvent[]
  read: Applied['read']
  signal?: AbortSignal | undefined
}): Promise<RangeResult> {
  const timestamps = new Map(blocks.map(({ number, timestamp }) => [number, timestamp]))
  const events = [...operatorEvents]
  const state = new Map<string, Json>()
  const actions: RangeResult['actions'][number][] = []
  const derived: RangeResult['blocks'][number][] = []
  let hash = stateHash
  for (const slice of slicesOf(logs)) {
    const result = await applyRange({
      rules,
      logs: slice,
      timestampOf: (block) => timestampIn(timestamps, block),
      operatorEvents: events,
      stateHash: hash,
      read: (keys) => readOver(state, keys, read),
    })
    for (const [key, value] of result.state) state.set(key, value)
    events.push(...result.operatorEvents)
    actions.push(...result.actions)
    derived.push(...result.blocks)
    hash = result.stateHash
    await breathe()
    signal?.throwIfAborted()
  }
  return {
    blocks: derived,
    actions,
    operatorEvents: events.slice(operatorEvents.length),
    state,
    stateHash: hash,
  }
}

/** Whole blocks, as few as reach the size of a slice. */
function* slicesOf(logs: ChainRange['logs']): Generator<ChainRange['logs']> {
  let start = 0
  for (let end = 1; end <= logs.length; end++) {
    const blockEnds = logs[end]?.blockNumber !== logs[end - 1]?.blockNumber
    if (blockEnds && (end - start >= slicedLogs || end === logs.length)) {
      yield logs.slice(start, end)
      start = end
    }
  }
}

/** What earlier slices of the range have changed counts before what is stored. */
async function readOver(
  changed: ReadonlyMap<string, Json>,
  keys: string[],
  read: Applied['read'],
): Promise<ReadonlyMap<string, Json>> {
  const values = new Map<string, Json>()
  const asked = keys.filter((key) => {
    const value = changed.get(key)
    if (value !== undefined) values.set(key, value)
    return value === undefined
  })
  const stored = asked.length > 0 ? await read(asked) : new Map<string, Json>()
  return new Map([...stored, ...values])
}

function timestampIn(timestamps: ReadonlyMap<number, number>, block: number): number {
  const timestamp = timestamps.get(block)
  if (timestamp === undefined) throw new RangeError(`the range has logs of block ${block}, but not its head`)
  return timestamp
}
