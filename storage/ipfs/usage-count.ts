import pLimit from 'p-limit'
import { abortable } from './abortable.ts'
import type { BlockFiles } from './block-files.ts'
import type { Usage } from './ipfs-node.ts'

/**
 * How much a store holds: counted from the directories, shard by shard, when somebody first asks, and kept up to
 * date from then on.
 */
export type UsageCount = {
  total(signal?: AbortSignal): Promise<Usage>
  /** Does `work` on a block, which says by how much it changed the sums. */
  during(cid: string, work: () => Promise<Usage>): Promise<void>
}

type Shard = {
  sum: Usage | undefined
  /** Changes under way, and those that have ended. */
  changing: number
  changes: number
  /** Resolves when no change is under way any more; there while one is. */
  rest: PromiseWithResolvers<void> | undefined
}

/** Shards read side by side; the disk, not this, is the limit. */
const countConcurrency = 8

export function createUsageCount(
  files: Pick<BlockFiles, 'shards' | 'shardOf' | 'list' | 'stat'>,
): UsageCount {
  const shards = new Map<string, Shard>(
    files.shards.map((name) => [name, { sum: undefined, changing: 0, changes: 0, rest: undefined }]),
  )
  let counting: Promise<void> | undefined

  async function countShard(name: string, shard: Shard): Promise<void> {
    while (shard.sum === undefined) {
      // Looking again and again instead would keep the change from ever ending: no disk is asked for the names in a
      // directory that is not there yet, so the process would do nothing else any more.
      await shard.rest?.promise
      const { changes } = shard
      const sum = await sumOf(files, name)
      // A block that came or went meanwhile may or may not be in the sum.
      if (shard.changing === 0 && shard.changes === changes) shard.sum = sum
    }
  }

  async function countAll(): Promise<void> {
    const limit = pLimit(countConcurrency)
    await Promise.all([...shards].map(([name, shard]) => limit(() => countShard(name, shard))))
  }

  return {
    async total(signal) {
      counting ??= countAll().finally(() => {
        counting = undefined
      })
      await abortable(counting, signal)
      return add(...[...shards.values()].flatMap(({ sum }) => (sum === undefined ? [] : [sum])))
    },
    async during(cid, work) {
      const shard = shards.get(files.shardOf(cid))
      if (shard === undefined) throw new TypeError(`${cid} belongs into no shard`)
      shard.changing += 1
      shard.rest ??= Promise.withResolvers()
      try {
        const change = await work()
        shard.sum &&= add(shard.sum, change)
      } catch (error) {
        // Nobody knows how far the work went: count this shard again when next asked.
        shard.sum = undefined
        throw error
      } finally {
        shard.changing -= 1
        shard.changes += 1
        if (shard.changing === 0) {
          shard.rest.resolve()
          shard.rest = undefined
        }
      }
    },
  }
}

async function sumOf(files: Pick<BlockFiles, 'list' | 'stat'>, shard: string): Promise<Usage> {
  const sum = { blocks: 0, bytes: 0 }
  for (const cid of await files.list(shard)) {
    const found = await files.stat(cid)
    if (found === null) continue
    sum.blocks += 1
    sum.bytes += found.bytes
  }
  return sum
}

function add(...usages: readonly Usage[]): Usage {
  const sum = { blocks: 0, bytes: 0 }
  for (const { blocks, bytes } of usages) {
    sum.blocks += blocks
    sum.bytes += bytes
  }
  return sum
}
