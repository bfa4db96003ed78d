import { creatorName, discoveryName } from '../local-network/index.ts'
import type { Audit } from './audit.ts'
import type { Quantity, Samples } from './sampler.ts'
import type { Tally } from './tally.ts'
import { type Flatness, judgeFlatness, type Tolerance } from './trend.ts'

const mebibyte = 1024 ** 2

/** What may grow over a run and still counts as flat. A heap is a saw whose teeth differ, hence the absolute parts. */
export const tolerances: Partial<Record<Quantity, Tolerance>> = {
  rssBytes: { share: 0.15, absolute: 32 * mebibyte },
  heapBytes: { share: 0.2, absolute: 16 * mebibyte },
  descriptors: { share: 0.1, absolute: 12 },
  keys: { share: 0.2, absolute: 60 },
}

/** A process of which no life was watched for so long, after its warm-up, is not judged by its growth. */
const leastSpanMs = 6 * 60_000

/** Records of what was published are kept: so much of a database may come with each acknowledged action. */
export const databaseBytesPerAct = 96 * 1024
/** What is stored beyond what is live: fragments of the file system, quarantine, what was let go a moment ago. */
export const strayShare = 0.1
export const strayBytes = 8 * mebibyte
/** SQLite starts its write-ahead log again when it has been written back; until then it grows. */
export const mostWalBytes = 64 * mebibyte

export type Line = { readonly process: string; readonly quantity: Quantity; readonly flatness: Flatness }
export type Check = { readonly what: string; readonly holds: boolean; readonly detail: string }
export type Verdict = {
  readonly lines: readonly Line[]
  readonly checks: readonly Check[]
  readonly passed: boolean
}

/** What stands on the disk of a node at the end. */
export type Remains = {
  readonly process: string
  readonly blockBytes: number
  /** What it may hold: live tracks, and what it has not had the time to let go. */
  readonly accountedBytes: number
  /** What it says that it keeps, where it keeps too much. */
  readonly kept?: string
}

/** Judges a run by its measurements, its faults and what the audit found. */
export function judge(options: {
  samples: Samples
  tally: Tally
  audit: Audit
  remains: readonly Remains[]
  warmUpMs: number
}): Verdict {
  const { samples, tally, audit, remains, warmUpMs } = options
  const lines = samples
    .processes()
    .filter((process) => isOurs(process))
    .flatMap((process) =>
      Object.entries(tolerances).flatMap(([name, tolerance]) => {
        const quantity = name as Quantity
        const points = samples.of(process, quantity)
        if (points.length === 0) return []
        return [{ process, quantity, flatness: judgeFlatness(points, tolerance, warmUpMs, leastSpanMs) }]
      }),
    )
  const checks = [
    ...flatnessChecks(lines),
    ...remains.map(diskCheck),
    ...databaseChecks(samples, tally),
    ...auditChecks(audit),
    ...faultChecks(tally),
  ]
  return { lines, checks, passed: checks.every(({ holds }) => holds) }
}

/** Chain and Postgres are other people's programs, and theirs to judge; their figures are in the report. */
function isOurs(process: string): boolean {
  return process === 'redis' || process === creatorName || process === discoveryName || isContent(process)
}

export function isContent(process: string): boolean {
  return process.startsWith('content-service-')
}

const words: Partial<Record<Quantity, string>> = {
  rssBytes: 'memory',
  heapBytes: 'heap',
  descriptors: 'open descriptors',
  keys: 'keys in Redis',
}

function flatnessChecks(lines: readonly Line[]): Check[] {
  return Object.keys(tolerances).map((name) => {
    const quantity = name as Quantity
    const own = lines.filter((line) => line.quantity === quantity)
    const growing = own.filter(({ flatness }) => flatness.flat === false).map(({ process }) => process)
    const known = own.filter(({ flatness }) => flatness.flat !== undefined).length
    return {
      what: `${words[quantity]} stay where they are`,
      holds: growing.length === 0,
      detail: growing.length === 0 ? `${known} of ${own.length} long enough to tell` : growing.join(', '),
    }
  })
}

export function isAccountedFor({ blockBytes, accountedBytes }: Remains): boolean {
  return blockBytes <= accountedBytes * (1 + strayShare) + strayBytes
}

function diskCheck(remains: Remains): Check {
  const { process, blockBytes, accountedBytes, kept } = remains
  return {
    what: `${process} stores no more than is accounted for`,
    holds: isAccountedFor(remains),
    detail: `${megabytes(blockBytes)} of ${megabytes(accountedBytes)}${kept === undefined ? '' : `; ${kept}`}`,
  }
}

function databaseChecks(samples: Samples, tally: Tally): Check[] {
  const acts = ['tracks published', 'tracks replaced', 'tracks renamed', 'tracks unpublished']
    .map((what) => tally.of(what))
    .reduce((sum, count) => sum + count, 0)
  const nodes = samples.processes().filter((process) => process === creatorName || isContent(process))
  return nodes.flatMap((process) => {
    const sizes = samples.of(process, 'sqliteBytes').map(({ value }) => value)
    const wal = Math.max(0, ...samples.of(process, 'walBytes').map(({ value }) => value))
    const growth = (sizes.at(-1) ?? 0) - (sizes[0] ?? 0)
    return [
      {
        what: `${process}'s database grows with what it has to remember`,
        holds: growth <= mebibyte + acts * databaseBytesPerAct,
        detail: `${megabytes(growth)} for ${acts} acts`,
      },
      {
        what: `${process}'s write-ahead log is written back`,
        holds: wal <= mostWalBytes,
        detail: `at most ${megabytes(wal)}`,
      },
    ]
  })
}

function auditChecks({ stateHashes, tracks, whole, missing }: Audit): Check[] {
  const different = new Set(stateHashes)
  return [
    {
      what: 'all nodes agree on the state hash',
      holds: different.size === 1,
      detail: different.size === 1 ? (stateHashes[0] ?? '') : [...different].join(', '),
    },
    {
      what: 'every acknowledged track is there, in three whole copies',
      holds: missing.length === 0,
      detail: missing.length === 0 ? `${whole} of ${tracks}` : missing.slice(0, 5).join('; '),
    },
  ]
}

function faultChecks(tally: Tally): Check[] {
  const kinds = [...tally.faults()].map(([kind, details]) => ({
    what: `no ${kind}`,
    holds: false,
    detail: `${tally.of(kind)}: ${details[0] ?? ''}`,
  }))
  const good = [
    'segments with a wrong byte',
    'blocks that a node sent wrong',
    'gaps',
    'failed playbacks',
    'failed uploads',
  ]
    .filter((kind) => !tally.faults().has(kind))
    .map((kind) => ({ what: `no ${kind}`, holds: true, detail: '' }))
  return [...kinds, ...good]
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
