import type { LiveTrack } from '@hexachord/storage/catalogue'
import type { Holding } from './holding-store.ts'

/** What is known when the duty for one subject is worked out. */
export type DutyFacts = {
  /** The subject's track as the chain has it now; undefined when there is none, or no longer. */
  readonly track: Pick<LiveTrack, 'subject' | 'manifest' | 'byteLength'> | undefined
  /** Why this node has to hold it; see `dutyOf`. */
  readonly duty: 'receipt' | 'rank' | undefined
  /** Whether the track's manifest is pinned here. */
  readonly pinned: boolean
  /** What is noted for the subject so far. */
  readonly holdings: readonly Holding[]
  /** ms since 1970. */
  readonly now: number
  /** How long what is no longer wanted is kept: longer than anybody plays or caches it. */
  readonly releaseGraceMs: number
  /** How long to leave a track to the offers that are on their way, when only the rank asks for it. */
  readonly patienceMs: number
}

/**
 * What has to be noted for a subject after a change on the chain. A copy that is here stays for as long as its track
 * lives, also when other operators have come before this one: copies are dropped only with the track.
 * @returns the holdings that change
 */
export function planDuty(facts: DutyFacts): Holding[] {
  const { track, holdings } = facts
  const released = holdings
    .filter(({ manifest, state }) => manifest !== track?.manifest && state !== 'releasing')
    .map((holding) => letGo(holding, facts))
  const wanted = track === undefined ? undefined : wantedHolding(track, facts)
  return wanted === undefined ? released : [...released, wanted]
}

function letGo(holding: Holding, { now, releaseGraceMs }: DutyFacts): Holding {
  return { ...holding, state: 'releasing', dueAt: now + releaseGraceMs, attempts: 0, reason: null }
}

function wantedHolding(track: NonNullable<DutyFacts['track']>, facts: DutyFacts): Holding | undefined {
  const { duty, pinned, holdings, now, patienceMs } = facts
  const { subject, manifest, byteLength } = track
  const known = holdings.find((holding) => holding.manifest === manifest)
  if (known !== undefined && known.state !== 'releasing') return undefined
  if (known === undefined && duty === undefined) return undefined
  const delay = duty === 'rank' ? patienceMs : 0
  return {
    subject,
    manifest,
    byteLength,
    state: pinned ? 'held' : 'missing',
    dueAt: now + delay,
    attempts: 0,
    reason: null,
  }
}
