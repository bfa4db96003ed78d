/** Whether a node may be asked: `well`; not now: `resting`; or `due`, after a look at it. */
export type EndpointState = 'well' | 'resting' | 'due'

/** How long a node that failed is left alone. Times are ms of one steady clock. */
export type EndpointRest = {
  state(nowMs: number): EndpointState
  /** When its rest ends, or has ended. */
  readonly untilMs: number
  /** Answers with the length of the rest in ms. What fails during a rest began before it, and adds nothing. */
  failed(nowMs: number): number
  recovered(nowMs: number): void
}

const firstRestMs = 1_000
const longestRestMs = 60_000

/** Each rest is twice as long as the one before, up to a minute; who was well for a minute starts anew. */
export function createEndpointRest(): EndpointRest {
  let wellSinceMs: number | null = null
  let untilMs = Number.NEGATIVE_INFINITY
  let restMs = 0

  return {
    get untilMs() {
      return untilMs
    },
    state(nowMs) {
      if (wellSinceMs !== null) return 'well'
      return nowMs < untilMs ? 'resting' : 'due'
    },
    failed(nowMs) {
      if (wellSinceMs === null && nowMs < untilMs) return untilMs - nowMs
      if (wellSinceMs !== null && nowMs - wellSinceMs >= longestRestMs) restMs = 0
      restMs = Math.min(Math.max(firstRestMs, restMs * 2), longestRestMs)
      wellSinceMs = null
      untilMs = nowMs + restMs
      return restMs
    },
    recovered(nowMs) {
      wellSinceMs ??= nowMs
    },
  }
}
