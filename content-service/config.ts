import { byteSize, type Environment, loadConfig } from '@hexachord/platform/process'
import { nodeConfig, nodeVariables } from '@hexachord/storage/node'
import * as z from 'zod'

const schema = z.object({
  ...nodeVariables,
  /** Room for blocks; what the operator registered. */
  CAPACITY_BYTES: byteSize,
  /** Disk space that stays free for everything else. */
  FREE_DISK_BYTES: byteSize.optional(),
  /** Memory for blocks that are asked for often. */
  CACHE_BYTES: byteSize.optional(),
  /** How fast stored blocks are read again to see whether they are still what they were. */
  SCRUB_BYTES_PER_SECOND: byteSize.optional(),
  /** How fast tracks are taken over from operators that hold enough copies, after this one has joined or grown. */
  REBALANCE_BYTES_PER_SECOND: byteSize.optional(),
})

/** Enough for the database to grow and for an operator to notice. */
const defaultFreeDiskBytes = 1024 ** 3
const defaultCacheBytes = 128 * 1024 ** 2

export type Config = ReturnType<typeof readConfig>

/** @throws ConfigError with every mistake */
export function readConfig(env: Environment) {
  const config = loadConfig(schema, env)
  return {
    ...nodeConfig(config),
    capacityBytes: config.CAPACITY_BYTES,
    diskFloorBytes: config.FREE_DISK_BYTES ?? defaultFreeDiskBytes,
    cacheBytes: config.CACHE_BYTES ?? defaultCacheBytes,
    scrubBytesPerSecond: config.SCRUB_BYTES_PER_SECOND,
    rebalanceBytesPerSecond: config.REBALANCE_BYTES_PER_SECOND,
  }
}
