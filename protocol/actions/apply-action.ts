import { CanonicalError, decodeCanonicalJson } from '../canonical/index.ts'
import { checked } from '../checked/index.ts'
import { authorOf, type Hash } from '../names/index.ts'
import type { Action } from './action.ts'
import { delegationInForce, delegationKey, isInScope } from './delegate.ts'
import { type Kind, kindsByVersion } from './kinds.ts'
import { checkClock, type Register } from './register.ts'
import {
  identityKey,
  identityOf,
  type Place,
  reject,
  type SubjectState,
  subjectKey,
  type Verdict,
  type View,
} from './rule.ts'

/** What stands in every content: `prev`, or `atMs` for kinds that set a register. */
type Content = { readonly prev: Hash | null; readonly atMs: number }
type Decoded = { success: true; data: Content } | { success: false; reason: string }
type NamedKind = Kind<Content> & { readonly name: string }

// The tables are typed by kind; here, where the number comes from the chain, little is known of the content.
const byNumber = kindsByVersion.map(
  (kinds) =>
    new Map(
      Object.entries(kinds).map(([name, kind]) => [
        kind.number,
        { name, ...(kind as unknown as Kind<Content>) },
      ]),
    ),
)
const newest = byNumber.at(-1)

/** The first version of the rules in which delegated keys count. */
const delegationVersion = 2

/** An action with its content as the newest rules read it: once, though its keys are asked for before it is judged. */
export type ReadAction = {
  readonly action: Action
  /** None where the newest rules know no such kind. */
  readonly newest: { readonly kind: NamedKind; readonly content: Decoded } | undefined
}

export function readAction(action: Action): ReadAction {
  const kind = newest?.get(action.kind)
  return { action, newest: kind && { kind, content: decode(kind, action) } }
}

/** Keys of the index that {@link applyAction} reads or changes for this action, by any version of the rules: what an
 * indexer loads in advance, before those of {@link keysReadBefore}. */
export function keysRead({ action, newest }: ReadAction): string[] {
  const { author, signer, subject } = action
  const keys = [identityKey(author), subjectKey(subject)]
  if (signer !== author) keys.push(delegationKey(author, signer))
  if (!newest?.content.success) return keys
  const { kind, content } = newest
  if (kind.register) keys.push(kind.register(content.data, action))
  keys.push(...kind.reads(content.data, action))
  return keys
}

/** Further keys that it reads or changes, which follow from the subject's state.
 * @param get what is loaded so far */
export function keysReadBefore({ action, newest }: ReadAction, get: View['get']): readonly string[] {
  if (!newest?.kind.readsBefore || !newest.content.success) return []
  const before = get(subjectKey(action.subject)) as SubjectState | undefined | null
  return before ? newest.kind.readsBefore(before) : []
}

/** Judges one action against the index: what it changes, or why it is rejected. Never throws for anything
 * that a stranger could have signed. */
export function applyAction(view: View, read: ReadAction, place: Place): Verdict {
  const { action } = read
  const version = view.rulesVersionAt(place.block)
  const kind = byNumber[version - 1]?.get(action.kind)
  if (!kind) return reject('unknownKind', `kind ${action.kind} is not known to these rules`)
  if (authorOf(action.subject) !== action.author) {
    return reject('wrongSubject', `${action.subject} is not a subject of ${action.author}`)
  }
  const before = (view.get(subjectKey(action.subject)) ?? undefined) as SubjectState | undefined
  const foreign = checkSigner({ view, action, place, kind, before, version })
  if (foreign) return foreign
  const content = contentBy(kind, read)
  if (!content.success) return reject('malformed', content.reason)
  const late = checkOrder({ view, action, place, kind, before, content: content.data })
  if (late) return late
  return kind.rule({ view, action, content: content.data, place, before })
}

type Judged = { view: View; action: Action; place: Place; kind: NamedKind; before: SubjectState | undefined }

/** Whether the signer may act for the author: as its controller, by its recovery key to rotate, or by a delegated key. */
function checkSigner({
  view,
  action: { author, signer },
  place,
  kind,
  before,
  version,
}: Judged & { version: number }): Verdict | undefined {
  const atMs = place.timestamp * 1000
  const identity = identityOf(view, author, atMs)
  if (signer === identity.controller) return undefined
  if (kind.name === 'rotate' && signer === identity.recovery) return undefined
  const delegation =
    version < delegationVersion || signer === author
      ? undefined
      : delegationInForce(view, author, signer, atMs)
  if (delegation === undefined) return reject('notAuthorised', `${signer} does not control ${author}`)
  if (isInScope(delegation, kind.name, before)) return undefined
  const what = kind.name === 'delete' && before ? `delete a ${before.kind}` : kind.name
  return reject('notAuthorised', `${signer} may sign for ${author}, but not: ${what}`)
}

function checkOrder({
  view,
  action,
  place,
  kind,
  before,
  content,
}: Judged & { content: Content }): Verdict | undefined {
  if (kind.register) {
    const known = view.get(kind.register(content, action)) as Register | undefined | null
    return checkClock(known ?? undefined, content.atMs, place)
  }
  if (content.prev !== (before?.digest ?? null)) {
    return reject('stalePrev', `prev must name ${before?.digest ?? 'nothing'}, the last accepted action`)
  }
  if (before?.deleted) return reject('deleted', 'this number was deleted: take a new one')
  return undefined
}

/** Older rules may know less of what a content holds. */
function contentBy(kind: NamedKind, { action, newest }: ReadAction): Decoded {
  return newest?.kind.schema === kind.schema ? newest.content : decode(kind, action)
}

function decode(kind: Kind<Content>, action: Action): Decoded {
  try {
    const parsed = checked(kind.schema, decodeCanonicalJson(action.content))
    if (parsed.success) return { success: true, data: parsed.data }
    const issue = parsed.error.issues[0]
    return { success: false, reason: `${issue?.path.join('.')} ${issue?.message}`.slice(0, 300) }
  } catch (error) {
    if (error instanceof CanonicalError) return { success: false, reason: error.message }
    throw error
  }
}
