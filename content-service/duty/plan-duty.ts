import type { LiveTrack } from '@hexachord/storage/catalogue'
import type { Holding } from './holding-store.ts'
import { type CopyTimes, copyDelayMs, type Standing, urgencies, urgencyOf } from './standing.ts'

/** What is known when the duty for one subject is worked out. */
export type DutyFacts = {
  /** The subject's track as the chain has it now; undefined when there is none, or no longer. */
  readonly track: Pick<LiveTrack, 'subject' | 'manifest' | 'byteLength'> | undefined
  /** What the track is to this node. */
  readonly standing: Standing
  /** Copies of the track with others who answer, as far as known. */
  readonly live: number
  /** Whether this node has let its copy of the track go because others have proved theirs. */
  readonly wasLetGo: boolean
  /** Whether the track's manifest is pinned here, and there is a receipt for it. */
  readonly pinned: boolean
  /** What is noted for the subject so far. */
  readonly holdings: readonly Holding[]
  /** ms since 1970. */
  readonly now: number
  /** How long what is no longer wanted is kept: longer than anybody plays or caches it. */
  readonly releaseGraceMs: number
  readonly times: CopyTimes
  /** From 0 to below 1. */
  readonly random: number
}

/**
 * What has to be noted for a subject after a change on the chain or with other operators. A copy that is here stays
 * until its track is gone, or until it turns out to be one too many (`extra`) and others have proved theirs.
 * @returns the holdings that change
 */
export function planDuty(facts: DutyFacts): Holding[] {
  const { track, holdings } = facts
  const released = holdings
    .filter(({ manifest, state, extra }) => manifest !== track?.manifest && (state !== 'releasing' || extra))
    .map((holding) => letGo(holding, facts))
  const wanted = track === undefined ? undefined : wantedHolding(track, facts)
  return wanted === undefined ? released : [...released, wanted]
}

function letGo(holding: Holding, { now, releaseGraceMs }: DutyFacts): Holding {
  const dueAt = now + releaseGraceMs
  return { ...holding, state: 'releasing', extra: false, dueAt, attempts: 0, reason: null }
}

function wantedHolding(track: NonNullable<DutyFacts['track']>, facts: DutyFacts): Holding | undefined {
  const { pinned, holdings, live } = facts
  const standing = effective(facts)
  const known = holdings.find((holding) => holding.manifest === track.manifest)
  const extra = standing.kind !== 'duty'
  const urgency = urgencyOf(live, standing.copies)
  if (known?.state === 'held') return known.extra === extra ? undefined : examined(known, extra, facts)
  if (known?.state === 'missing') return urgency < known.urgency ? hastened(known, facts) : undefined
  if (known?.state === 'releasing' && known.extra) return extra ? undefined : examined(known, false, facts)
  const wanted = known !== undefined || pinned || isWanted(standing, urgency)
  return wanted ? noted(track, facts, { extra, urgency }) : undefined
}

/** A promise that was taken over by others is one no more; this node still stands in for them. */
function effective({ standing, wasLetGo }: DutyFacts): Standing {
  return standing.kind === 'promised' && wasLetGo ? { ...standing, kind: 'reserve' } : standing
}

function isWanted({ kind }: Standing, urgency: Holding['urgency']): boolean {
  return kind === 'duty' || kind === 'promised' || (kind === 'reserve' && urgency !== urgencies.spare)
}

function noted(
  { subject, manifest, byteLength }: NonNullable<DutyFacts['track']>,
  facts: DutyFacts,
  { extra, urgency }: Pick<Holding, 'extra' | 'urgency'>,
): Holding {
  const { pinned, now, times, random } = facts
  const isOnItsWayBack = facts.holdings.some((holding) => holding.manifest === manifest)
  const delayMs = pinned || isOnItsWayBack ? 0 : copyDelayMs(effective(facts), urgency, times, random)
  const state = pinned ? 'held' : 'missing'
  const dueAt = Math.round(now + delayMs)
  return { subject, manifest, byteLength, state, extra, urgency, dueAt, attempts: 0, reason: null }
}

/** Held either as a duty or beyond it; an extra copy is looked at soon. */
function examined(known: Holding, extra: boolean, { now }: DutyFacts): Holding {
  return { ...known, state: 'held', extra, dueAt: now, attempts: 0, reason: null }
}

/** Others have failed since this one was put off. */
function hastened(known: Holding, facts: DutyFacts): Holding {
  const { now, live, times, random } = facts
  const standing = effective(facts)
  const urgency = urgencyOf(live, standing.copies)
  const delayMs = copyDelayMs(standing, urgency, times, random)
  return { ...known, urgency, dueAt: Math.min(known.dueAt, Math.round(now + delayMs)) }
}
