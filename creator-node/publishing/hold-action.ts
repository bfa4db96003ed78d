import { Problem } from '@hexachord/platform/http'
import type { Sqlite } from '@hexachord/platform/sqlite'
import { type Action, kinds, type SignedAction } from '@hexachord/protocol/actions'
import { decodeCanonicalJson } from '@hexachord/protocol/canonical'
import type { Address } from '@hexachord/protocol/names'
import { maximumHoldMs } from '@hexachord/protocol/offers'
import { liveTrack } from '@hexachord/storage/catalogue'
import { overspentProblem } from '../admission/index.ts'
import type { UploadStore } from '../uploads/index.ts'
import { gasOfAct } from './catalog-contract.ts'
import type { HeldAction, HeldActions } from './held-actions.ts'
import { checkAgainstChain, openSigned, refusalAt, transactionOf } from './judge-action.ts'
import { type RelayOptions, wasSent } from './relay-action.ts'

export type HoldOptions = RelayOptions & {
  database: Pick<Sqlite, 'transaction'>
  held: HeldActions
  uploads: Pick<UploadStore, 'bySubject'>
}

/** So long after its time an action must still be good: its node may be away just then. */
export const deadlineMarginMs = 3_600_000
/** Actions that wait, of all accounts and of one; each takes some 10 KB. Keys cost nothing, so what holds besides are the
 * budgets of the day, which each action is counted in when it is given. */
export const maximumHeld = 2_000
export const maximumHeldPerAccount = 200

/**
 * Takes a signed action into keeping until a time: checks at once what would have it refused then, as far as that can be
 * known. The newer one of a subject takes the place of the one before; the same one may be given any number of times.
 * @param account who gives it; it must be the signer
 * @throws Problem 400, 403, 409, 422, 429 or 503
 */
export async function holdAction(
  { action: signed, holdUntilMs }: { action: SignedAction; holdUntilMs: number },
  account: Address,
  options: HoldOptions,
): Promise<HeldAction> {
  const { catalogue, held, budgets, now } = options
  const action = openSigned(signed, catalogue)
  const before = held.get(action.hash)
  const isTheSame = before?.holdUntilMs === holdUntilMs && before.state !== 'refused'
  if (before?.account === account && (isTheSame || before.state === 'sent')) return before
  checkRequest(signed, action, { account, holdUntilMs }, options)
  await checkAgainstChain(action, options)
  const refusal = refusalAt(holdUntilMs, action, options)
  if (refusal) throw refusal
  const fault = faultOfUpload(action, options, holdUntilMs)
  if (fault !== undefined) throw new Problem({ status: 409, slug: 'upload-not-held', detail: fault })
  if (wasSent(action.hash, options)) {
    throw new Problem({ status: 409, slug: 'already-sent', detail: 'the action is on its way to the chain' })
  }
  // From here to the end nobody else's action comes in between.
  const replaced = held.waitingOf(action.subject)
  if (replaced?.state === 'waiting' && replaced.account !== account) {
    throw new Problem({
      status: 409,
      slug: 'held-by-another',
      detail: `an action of ${action.subject} that another account has given waits already`,
    })
  }
  if (replaced?.account !== account) checkRoom(account, held)
  const kept: HeldAction = {
    ...{ hash: action.hash, subject: action.subject, account, holdUntilMs, heldAtMs: now() },
    ...{ state: 'waiting', action: signed },
  }
  options.database.transaction(() => {
    if (replaced !== undefined) giveBack(replaced, options)
    const overspent = budgets.spend(account, costsOf(signed, options))
    if (overspent) throw overspentProblem(overspent)
    held.put(kept)
  })
  return kept
}

/** What the account was counted with for an action that is never sent. */
export function giveBack(held: HeldAction, options: Pick<HoldOptions, 'budgets' | 'catalogue'>): void {
  options.budgets.giveBack(held.account, costsOf(held.action, options), held.heldAtMs)
}

function costsOf(signed: SignedAction, { catalogue }: Pick<HoldOptions, 'catalogue'>) {
  return { actions: 1, gas: gasOfAct(transactionOf(signed, catalogue).data) }
}

function checkRequest(
  signed: SignedAction,
  action: Action,
  { account, holdUntilMs }: { account: Address; holdUntilMs: number },
  { gate, now }: HoldOptions,
): void {
  if (!gate.mayPublish(account, action.author)) throw gate.refusal(account)
  if (account !== action.signer) {
    throw new Problem({
      status: 403,
      slug: 'not-the-signer',
      detail: `only ${action.signer}, who has signed the action, has it held back`,
    })
  }
  if (action.kind !== kinds.track.number && action.kind !== kinds.playlist.number) {
    throw new Problem({
      status: 400,
      slug: 'not-a-release',
      detail: 'only tracks and playlists are held back: send any other action when it is time',
    })
  }
  const nowMs = now()
  if (holdUntilMs <= nowMs) {
    throw new Problem({
      status: 400,
      slug: 'release-past',
      detail: `${timeOf(holdUntilMs)} is past; at this node it is ${timeOf(nowMs)}`,
      members: { nowMs },
    })
  }
  if (holdUntilMs > nowMs + maximumHoldMs) {
    throw new Problem({
      status: 400,
      slug: 'release-too-far',
      detail: `an action is held back for ${maximumHoldMs / 86_400_000} days at most; at this node it is ${timeOf(nowMs)}`,
      members: { nowMs },
    })
  }
  if (signed.deadline * 1000 < holdUntilMs + deadlineMarginMs) {
    throw new Problem({
      status: 400,
      slug: 'deadline-too-early',
      detail: `the action must be good until ${deadlineMarginMs / 60_000} min after its release: sign it with a later deadline`,
    })
  }
}

function checkRoom(account: Address, held: HeldActions): void {
  const refuse = (of: 'node' | 'account', detail: string) => {
    throw new Problem({
      status: 429,
      slug: 'too-many-held',
      title: 'Too many held',
      detail,
      members: { of },
      headers: { 'Retry-After': '3600' },
    })
  }
  if (held.countWaiting(account) >= maximumHeldPerAccount) {
    refuse('account', `${maximumHeldPerAccount} releases of this account wait already: withdraw one`)
  }
  if (held.countWaiting() >= maximumHeld) {
    refuse('node', `${maximumHeld} releases wait at this node already: use another creator node`)
  }
}

/**
 * Why new audio that an action publishes is not kept here for it: operators hold it as long as the grant of its upload
 * lives. Playlists, and other words about audio that is published, need no upload.
 * @param untilMs how long it must be kept
 */
export function faultOfUpload(
  action: Action,
  { catalogue, uploads }: Pick<HoldOptions, 'catalogue' | 'uploads'>,
  untilMs: number,
): string | undefined {
  if (action.kind !== kinds.track.number) return undefined
  const { subject } = action
  // The rule of tracks has read it before.
  const { manifest } = decodeCanonicalJson(action.content) as { manifest: string }
  if (liveTrack(subject, catalogue.subject(subject))?.manifest === manifest) return undefined
  const kept = uploads.bySubject(subject).filter(({ track, released, state }) => {
    return track?.manifest === manifest && !released && (state === 'ready' || state === 'replicating')
  })
  if (kept.length === 0) return 'the upload that the action publishes is not at this node, or was cancelled'
  const lastMs = Math.max(...kept.map(({ grant }) => grant.expiresAt))
  if (lastMs >= untilMs) return undefined
  return `operators hold the upload until ${timeOf(lastMs)} only: upload it with a grant that lives until its release`
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
