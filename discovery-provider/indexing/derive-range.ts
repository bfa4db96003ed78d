import { setImmediate as breathe } from 'node:timers/promises'
import { applyRange, type RangeResult } from '@hexachord/protocol/catalogue'
import type { ChainRange } from './chain-records.ts'
import { loadNativeEngine } from './native-engine.ts'

/** How long one range is worked at in one go (ms): this process answers readers and sends the range before to the
 * database at the same time. */
const longestStretchMs = 2

const engine = await loadNativeEngine()

type Applied = Parameters<typeof applyRange>[0]

/** Changes of one range in memory (characters): as much as two answers of a node. A long list is kept anew with each block
 * that changes it, of which a range may have thousands; others take a tenth of it at most. */
const mostKeptChars = 16 * 1024 * 1024

/** What follows from the logs of a range by the rules, or from the first of its blocks when much changes; writes nothing.
 * @param read current values of keys in the index */
export async function deriveRange({
  range: { logs, blocks },
  signal,
  ...index
}: Pick<Applied, 'rules' | 'stateHash' | 'operatorEvents' | 'read'> & {
  range: Pick<ChainRange, 'logs' | 'blocks'>
  signal?: AbortSignal | undefined
}): Promise<RangeResult> {
  const timestamps = new Map(blocks.map(({ number, timestamp }) => [number, timestamp]))
  let stretchEndsMs = performance.now() + longestStretchMs

  async function pause(): Promise<void> {
    await breathe()
    signal?.throwIfAborted()
    stretchEndsMs = performance.now() + longestStretchMs
  }

  return applyRange({
    ...index,
    engine,
    mostKeptChars,
    recoverExpecting: () => engine.recover,
    logs,
    timestampOf: (block) => timestampIn(timestamps, block),
    pause: () => (performance.now() < stretchEndsMs ? undefined : pause()),
  })
}

function timestampIn(timestamps: ReadonlyMap<number, number>, block: number): number {
  const timestamp = timestamps.get(block)
  if (timestamp === undefined) throw new RangeError(`the range has logs of block ${block}, but not its head`)
  return timestamp
}
