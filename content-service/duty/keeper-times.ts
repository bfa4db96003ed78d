import type { CopyTimes } from './standing.ts'

export const hourMs = 3_600_000
const minuteMs = 60_000

/** When a node does what it has to do; all in ms. */
export type KeeperTimes = Partial<CopyTimes> & {
  /** How long content is kept after it was deleted or replaced, or turned out to be one copy too many.
   * @default 24 h */
  readonly releaseGraceMs?: number
  /** How long a lease outlives its offer, for a publish action that is on its way. @default 15 min */
  readonly leaseGraceMs?: number
  /** How long blocks that are being brought here are safe from collection. @default 1 h */
  readonly repairLeaseMs?: number
  /** Between collections of blocks that nothing keeps. @default 10 min */
  readonly collectEveryMs?: number
  /** How old a block must be to be collected. @default 1 h */
  readonly collectGraceMs?: number
  /** Between looks at every published track, at least: operators may change with every block. @default 30 s */
  readonly everythingEveryMs?: number
  /** Before an extra copy is looked at again for which others could not prove theirs. @default 1 h */
  readonly shedRetryMs?: number
  /** Between two rounds of looks at extra copies. @default 2 s */
  readonly shedPauseMs?: number
}

export const defaultRepairLeaseMs = hourMs

const defaults: Required<KeeperTimes> = {
  releaseGraceMs: 24 * hourMs,
  patienceMs: minuteMs,
  graceMs: 15 * minuteMs,
  urgentStepMs: 10_000,
  leaseGraceMs: 15 * minuteMs,
  repairLeaseMs: defaultRepairLeaseMs,
  collectEveryMs: 10 * minuteMs,
  collectGraceMs: hourMs,
  everythingEveryMs: 30_000,
  shedRetryMs: hourMs,
  shedPauseMs: 2_000,
}

export function keeperTimes(times: KeeperTimes = {}): Required<KeeperTimes> {
  return { ...defaults, ...times }
}
