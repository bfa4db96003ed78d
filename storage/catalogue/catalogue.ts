import type { Identity, Place, SubjectState, TrackContent, Verdict } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import { type Address, type Hash, isSubject, type Subject } from '@hexachord/protocol/names'
import type { Operator, OperatorSet } from '@hexachord/protocol/operators'

/** What a node that holds segments knows from the chain: who the operators are, and what is published. Answers come
 * from this node's own index and stand as of the block `indexed()`. */
export type Catalogue = {
  readonly rules: CatalogueRules
  /** The newest block that the chain's node told of. */
  head(): number
  /** The last block that is part of every answer; below the first block before anything was read. */
  indexed(): number
  /** Blocks of the chain that are not indexed yet; infinite until the chain's node has told of its head. */
  behind(): number
  /** No reorganisation will reach this block. */
  finalized(): number
  /** Of the last block with logs; equal on every node that has indexed the same chain. */
  stateHash(): Hash
  /** The same after a block that is indexed, however long ago. */
  stateHashAt(block: number): Hash
  /** Resolves once the block that is the head at the time of the call is indexed. @throws what the chain's node gives, or the signal's reason */
  caughtUp(signal: AbortSignal): Promise<void>

  /** Operators after a block, active or not. */
  operatorsAt(block: number): OperatorSet
  operators(): OperatorSet
  /** The operator which acts with this key now, active or not. */
  operatorByHotKey(hotKey: Address): Operator | undefined
  /** Operators in the order in which the current epoch wants them to hold the subject; the first `copies` of them
   * have the duty. */
  ranks(subject: Subject): Ranks
  /** Whom placement counts in the current epoch; the same object for as long as nothing changes in it. */
  ranking(): OperatorSet
  /** Operators whose receipts an action would be accepted with, if it were in the next block. */
  accepted(subject: Subject): Ranks
  /** Grows with every epoch of placement. */
  epoch(): number

  /** What the index holds under a key, as the rules read it. */
  entry(key: string): Json | undefined
  /** Who controls an author at a time, in ms. */
  identity(author: Address, atMs: number): Identity
  subject(subject: Subject): SubjectState | undefined
  /** All that an author has on the chain, deleted or not, page by page. */
  subjectsOf(author: Address): Iterable<{ subject: Subject; state: SubjectState }>
  /** Whose a handle is. */
  handleOwner(handle: string): Address | undefined
  /** Published and not deleted, in the order of their names. Reads page by page: what changes meanwhile may or may
   * not be seen. */
  tracks(): Iterable<LiveTrack>
  /**
   * Tracks that have a manifest now, at most 64: those before others which had it first, by block and place in the block,
   * under whatever version of the rules. What a track says of itself later, or that it had another manifest in between,
   * makes it no younger; that it is older than the manifest, no older.
   */
  tracksWith(manifest: string): { subject: Subject; state: SubjectState }[]
  /** When this node learnt, in ms since 1970, that a track no longer has a manifest which it had: that it was replaced,
   * or the track deleted, also in blocks that came while this node was away. Forgotten after some weeks. */
  replacedAt(subject: Subject, manifest: string): number | undefined
  /** What became of an action, if it is on the chain. */
  action(hash: Hash): RecordedAction | undefined

  /** Calls after each range of blocks that changed something, once it is stored. @returns a function that ends it */
  onChange(listener: (change: CatalogueChange) => void): () => void
  /** Resolves when following has ended; rejects if it can not go on (`ReorgTooDeep`), and then nothing here is to be
   * trusted any more. */
  readonly finished: Promise<void>
  close(): Promise<void>
}

export type Ranks = {
  readonly operators: readonly Operator[]
  /** Copies that the subject shall have: three, or as many as operators can give. */
  readonly copies: number
}

/** A track as its last accepted action describes it. */
export type LiveTrack = Omit<TrackContent, 'prev' | 'receipts'> & {
  readonly subject: Subject
  readonly author: Address
  /** Hash of the last accepted action. */
  readonly digest: Hash
  readonly updatedAtMs: number
  /** Whose receipts the action carried. */
  readonly operators: readonly Address[]
}

export type RecordedAction = {
  readonly hash: Hash
  readonly subject: Subject
  readonly kind: number
  readonly signer: Address
  readonly place: Place
  readonly verdict: Verdict['verdict']
  /** Why it was rejected. */
  readonly reason?: string
}

export type CatalogueChange = {
  /** Whose state is another now. */
  readonly subjects: readonly Subject[]
  /** Actions that came onto the chain. */
  readonly actions: readonly Hash[]
  /** Whether operators changed, or their ranks because an epoch began with others. */
  readonly operators: boolean
  /** Whether the ranks of some subject may be others now: seldom, at the beginning of an epoch. */
  readonly ranks: boolean
  /** Whether blocks were taken back. */
  readonly reorganised: boolean
}

/** @returns undefined unless the subject is a track that is not deleted */
export function liveTrack(subject: Subject, state: SubjectState | undefined): LiveTrack | undefined {
  if (state === undefined || state.kind !== 'track' || state.deleted) return undefined
  // Only the rule of tracks writes this body, from content that it has checked.
  const body = state.body as unknown as Omit<TrackContent, 'prev' | 'receipts'> & { operators?: Address[] }
  const { author, digest, updatedAtMs } = state
  return { ...body, operators: body.operators ?? [], subject, author, digest, updatedAtMs }
}

const subjectPrefix = 'subject/'

/** The subject whose state stands under a key of the index. */
export function subjectOfKey(key: string): Subject | undefined {
  const name = key.startsWith(subjectPrefix) ? key.slice(subjectPrefix.length) : undefined
  return isSubject(name) ? name : undefined
}
