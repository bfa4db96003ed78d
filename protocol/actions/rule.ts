import type { Json } from '../canonical/index.ts'
import type { Engine } from '../engine/index.ts'
import type { Address, Hash, Subject } from '../names/index.ts'
import type { OperatorSet } from '../operators/index.ts'
import type { PlacementRules } from '../placement/index.ts'
import type { Domain, Recover } from '../signing/index.ts'
import type { Action } from './action.ts'

/** Why an action was not applied, as recorded for ever. Numbers are hashed: never reuse one. */
export const verdictCodes = {
  applied: 0,
  unknownKind: 1,
  malformed: 2,
  wrongSubject: 3,
  notAuthorised: 4,
  stalePrev: 5,
  deleted: 6,
  handleTaken: 7,
  missingReceipts: 8,
  invalidReceipt: 9,
  notFound: 10,
  listTooLong: 11,
  outdated: 12,
  ahead: 13,
  muted: 14,
} as const
export type VerdictName = keyof typeof verdictCodes

/** One entry of the index that an action sets (or, with null, removes). */
export type Change = { readonly key: string; readonly value: Json }

export type Verdict =
  | { readonly verdict: 'applied'; readonly changes: readonly Change[] }
  | { readonly verdict: Exclude<VerdictName, 'applied'>; readonly reason: string }

/** Where an action stands on the chain. */
export type Place = {
  readonly block: number
  /** Unix seconds, of the block. */
  readonly timestamp: number
  readonly logIndex: number
}

/** What a rule may know: the index before the action, and the operators after any earlier block. */
export type View = {
  get(key: string): Json | undefined
  operatorsAt(block: number): OperatorSet
  /** Version of the rules in force at a block: see `versions.ts`. */
  rulesVersionAt(block: number): number
  readonly domain: Domain
  readonly placement: PlacementRules
  /** Finds signers faster where it is known whose the signature should be. @default as any other */
  readonly recoverExpecting?: (expected: Address) => Recover
  /** Takes the hashes that are signed. @default in JavaScript */
  readonly engine?: Engine
}

export type RuleInput<Content> = {
  readonly view: View
  readonly action: Action
  readonly content: Content
  readonly place: Place
  /** The subject as the index has it. */
  readonly before: SubjectState | undefined
}

/** State of a subject in the index, under {@link subjectKey}. */
export type SubjectState = {
  readonly kind: 'user' | 'track' | 'playlist' | 'notice' | 'comment' | 'app'
  readonly author: Address
  /** Hash of the last accepted action: the next one names it as `prev`. */
  readonly digest: Hash
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly block: number
  readonly logIndex: number
  readonly deleted: boolean
  readonly body: { readonly [key: string]: Json | undefined }
}

/** Who controls an author, under {@link identityKey}. Absent: the author's own address, no recovery. */
export type Identity = {
  readonly controller: Address
  readonly recovery: Address | null
  /** Asked for by the recovery key; in force from this time on unless the controller rotates first. */
  readonly pending: { readonly controller: Address; readonly atMs: number } | null
  /** When the controller last rotated: what it delegated before is void. Kept since version 2 of the rules. */
  readonly sinceMs?: number
}

export function subjectKey(subject: Subject): string {
  return `subject/${subject}`
}

export function identityKey(author: Address): string {
  return `identity/${author}`
}

export function handleKey(handle: string): string {
  return `handle/${handle}`
}

/** Identity in force at a time (ms). */
export function identityOf(view: Pick<View, 'get'>, author: Address, atMs: number): Identity {
  const stored = view.get(identityKey(author)) as Identity | undefined | null
  if (!stored) return { controller: author, recovery: null, pending: null }
  if (stored.pending && stored.pending.atMs <= atMs) {
    return { controller: stored.pending.controller, recovery: stored.recovery, pending: null }
  }
  return stored
}

/** Since when (ms) an author's keys are as they are at a time: since the last rotation that is in force. */
export function identitySinceMs(view: Pick<View, 'get'>, author: Address, atMs: number): number {
  const stored = view.get(identityKey(author)) as Identity | undefined | null
  if (stored?.pending && stored.pending.atMs <= atMs) return stored.pending.atMs
  return stored?.sinceMs ?? 0
}

/** What stands under a subject, unless it was deleted. */
export function livingSubject(view: Pick<View, 'get'>, subject: Subject): SubjectState | undefined {
  const state = view.get(subjectKey(subject)) as SubjectState | undefined | null
  return state && !state.deleted ? state : undefined
}

export function reject(verdict: Exclude<VerdictName, 'applied'>, reason: string): Verdict {
  return { verdict, reason }
}

/** The subject's new state after an accepted action. */
export function changeSubject(
  { action, place, before }: RuleInput<unknown>,
  kind: SubjectState['kind'],
  body: SubjectState['body'],
  deleted = false,
): Change {
  const atMs = place.timestamp * 1000
  const value: SubjectState = {
    kind,
    author: action.author,
    digest: action.hash,
    createdAtMs: before?.createdAtMs ?? atMs,
    updatedAtMs: atMs,
    block: place.block,
    logIndex: place.logIndex,
    deleted,
    body,
  }
  return { key: subjectKey(action.subject), value }
}
