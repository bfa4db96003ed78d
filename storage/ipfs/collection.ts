import type { BlockStore } from './block-store.ts'
import type { Collected, CollectOptions } from './ipfs-node.ts'
import type { PinTable } from './pin-table.ts'

/**
 * Removes blocks that nothing names. Reads directories and the pin table, never a block. What arrives while it runs
 * is either seen as young or is being worked on, and is left alone both ways.
 */
export async function collectBlocks(
  store: BlockStore,
  table: PinTable,
  now: () => number,
  options: CollectOptions,
): Promise<Collected> {
  const storedUntilMs = now() - options.graceMs
  const sum = { removed: 0, bytes: 0 }
  for await (const { cid, bytes, storedAtMs } of store.blocks(options.signal)) {
    if (storedAtMs > storedUntilMs) continue
    const isFree = () => !table.isNeeded(cid, now())
    if (!(await store.removeIf(cid, { storedUntilMs, isFree }))) continue
    sum.removed += 1
    sum.bytes += bytes
  }
  // Last: on a full disk it needs the room that the blocks took.
  table.dropExpiredLeases(now())
  return sum
}
