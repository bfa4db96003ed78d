import type { AttemptFailed } from './attempt.ts'
import type { FaultKind, Source } from './source.ts'

/** How a source has done so far, for people to see. */
export type Quality = {
  readonly source: string
  /** Exponentially weighted mean time to a checked block; undefined before the first. */
  readonly latencyMs: number | undefined
  readonly blocks: number
  readonly faults: { readonly [Kind in FaultKind]: number }
  /** `good`, `resting` after failures until `restsUntil` (in the retriever's time), or `dropped` since it lied. */
  readonly state: 'good' | 'resting' | 'dropped'
  readonly restsUntil: number | undefined
}

type Standing = {
  latencyMs: number | undefined
  blocks: number
  faults: { [Kind in FaultKind]: number }
  failuresInARow: number
  restsUntil: number
  missesInARow: number
  lacksUntil: number
  isDropped: boolean
}

/** A new measurement's share of the mean: some ten blocks, a minute of music, are remembered. */
const newShare = 0.2
/** Rests double from a second to a minute: a restarting node is missed for seconds, a dead one asked seldom. */
const firstRestMs = 1_000
const longestRestMs = 60_000
/** Sources remembered; those known longest are forgotten first. Far more than hold any one track. */
const maximumSources = 1_000
/** Recent latencies from which the 95th percentile is taken, and how many it takes to trust it. */
const recentCount = 100
const trustedCount = 10
/** A quicker hedge would double requests for nothing but jitter. */
const soonestHedgeMs = 50

export type Standings = ReturnType<typeof createStandings>

/** Keeps what is known of sources: who is fast, who fails, who lied. */
export function createStandings(now: () => number) {
  const standings = new Map<string, Standing>()
  const recent: number[] = []

  function standingOf(id: string): Standing {
    const known = standings.get(id)
    if (known) return known
    const [oldest] = standings.keys()
    if (standings.size >= maximumSources && oldest !== undefined) standings.delete(oldest)
    const fresh: Standing = {
      latencyMs: undefined,
      blocks: 0,
      faults: { lied: 0, missing: 0, unpaid: 0, refused: 0, 'timed-out': 0, unreachable: 0 },
      failuresInARow: 0,
      restsUntil: Number.NEGATIVE_INFINITY,
      missesInARow: 0,
      lacksUntil: Number.NEGATIVE_INFINITY,
      isDropped: false,
    }
    standings.set(id, fresh)
    return fresh
  }

  function isResting(standing: Standing): boolean {
    return standing.restsUntil > now()
  }

  function measure(standing: Standing, ms: number): void {
    standing.latencyMs =
      standing.latencyMs === undefined ? ms : standing.latencyMs + newShare * (ms - standing.latencyMs)
  }

  return {
    /** Sources to ask, in order: those that rest after all others; low tiers first; in a tier those that lacked
     * a block lately come last; then the preferred one, then the fastest. One that was never measured counts as
     * fast, so that it gets measured. */
    order(sources: readonly Source[], prefer?: string): Source[] {
      const key = (source: Source) => {
        const standing = standingOf(source.id)
        return [
          Number(isResting(standing)),
          source.tier ?? 0,
          Number(standing.lacksUntil > now()),
          Number(source.id !== prefer),
          standing.latencyMs ?? 0,
        ]
      }
      return sources
        .filter((source) => !standingOf(source.id).isDropped)
        .map((source) => ({ source, key: key(source) }))
        .sort((a, b) => a.key.map((part, i) => part - (b.key[i] ?? 0)).find((sign) => sign !== 0) ?? 0)
        .map(({ source }) => source)
    },

    isDropped: (id: string): boolean => standingOf(id).isDropped,

    succeeded(id: string, ms: number): void {
      const standing = standingOf(id)
      measure(standing, ms)
      standing.blocks += 1
      standing.failuresInARow = 0
      standing.restsUntil = Number.NEGATIVE_INFINITY
      standing.missesInARow = 0
      standing.lacksUntil = Number.NEGATIVE_INFINITY
      recent.push(ms)
      if (recent.length > recentCount) recent.shift()
    },

    /** Another source was faster, after this one had been given `ms`: it takes at least so long. */
    outrun(id: string, ms: number): void {
      const standing = standingOf(id)
      if (ms > (standing.latencyMs ?? 0)) measure(standing, ms)
    },

    failed(id: string, { kind, retryAfterMs }: AttemptFailed): void {
      const standing = standingOf(id)
      standing.faults[kind] += 1
      if (kind === 'lied') standing.isDropped = true
      if (kind === 'missing') {
        standing.lacksUntil = now() + restMs(standing.missesInARow)
        standing.missesInARow += 1
      } else {
        standing.restsUntil = now() + Math.min(retryAfterMs ?? restMs(standing.failuresInARow), longestRestMs)
        standing.failuresInARow += 1
      }
    },

    /** How long to wait for a source before a second one is asked as well. */
    hedgeAfterMs(atMost: number): number {
      if (recent.length < trustedCount) return atMost
      const percentile95 = recent.toSorted((a, b) => a - b)[Math.floor(recent.length * 0.95)] ?? atMost
      return Math.min(Math.max(percentile95, soonestHedgeMs), atMost)
    },

    snapshot(): Quality[] {
      return Array.from(standings, ([source, standing]) => ({
        source,
        latencyMs: standing.latencyMs,
        blocks: standing.blocks,
        faults: { ...standing.faults },
        state: standing.isDropped ? 'dropped' : isResting(standing) ? 'resting' : 'good',
        restsUntil: isResting(standing) ? standing.restsUntil : undefined,
      }))
    },
  }
}

function restMs(timesInARow: number): number {
  return Math.min(firstRestMs * 2 ** timesInARow, longestRestMs)
}
