import { CanonicalError, decodeCanonicalJson } from '../canonical/index.ts'
import { authorOf, type Hash } from '../names/index.ts'
import type { Action } from './action.ts'
import { type Kind, kinds } from './kinds.ts'
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

type Content = { readonly prev: Hash | null }
// The table is typed by kind; here, where the number comes from the chain, all that is known is `prev`.
const byNumber = new Map(Object.values(kinds).map((kind) => [kind.number, kind as unknown as Kind<Content>]))

/** Keys of the index that {@link applyAction} reads or changes for this action: what an indexer loads in
 * advance. Some follow from the subject's state, so ask again when that has been loaded.
 * @param get what is loaded so far */
export function keysRead(action: Action, get: View['get'] = () => undefined): string[] {
  const keys = [identityKey(action.author), subjectKey(action.subject)]
  const kind = byNumber.get(action.kind)
  const content = kind && decode(kind, action)
  if (!kind || !content?.success) return keys
  const before = (get(subjectKey(action.subject)) ?? undefined) as SubjectState | undefined
  return [...keys, ...kind.reads(content.data, before)]
}

/** Judges one action against the index: what it changes, or why it is rejected. Never throws for anything
 * that a stranger could have signed. */
export function applyAction(view: View, action: Action, place: Place): Verdict {
  const kind = byNumber.get(action.kind)
  if (!kind) return reject('unknownKind', `kind ${action.kind} is not known to these rules`)
  if (authorOf(action.subject) !== action.author) {
    return reject('wrongSubject', `${action.subject} is not a subject of ${action.author}`)
  }
  const identity = identityOf(view, action.author, place.timestamp * 1000)
  const byRecovery = kind.number === kinds.rotate.number && action.signer === identity.recovery
  if (action.signer !== identity.controller && !byRecovery) {
    return reject('notAuthorised', `${action.signer} does not control ${action.author}`)
  }
  const content = decode(kind, action)
  if (!content.success) return reject('malformed', content.reason)
  const before = (view.get(subjectKey(action.subject)) ?? undefined) as SubjectState | undefined
  if (content.data.prev !== (before?.digest ?? null)) {
    return reject('stalePrev', `prev must name ${before?.digest ?? 'nothing'}, the last accepted action`)
  }
  if (before?.deleted) return reject('deleted', 'this number was deleted: take a new one')
  return kind.rule({ view, action, content: content.data, place, before })
}

function decode(
  kind: Kind<Content>,
  action: Action,
): { success: true; data: Content } | { success: false; reason: string } {
  try {
    const parsed = kind.schema.safeParse(decodeCanonicalJson(action.content))
    if (parsed.success) return { success: true, data: parsed.data }
    const issue = parsed.error.issues[0]
    return { success: false, reason: `${issue?.path.join('.')} ${issue?.message}`.slice(0, 300) }
  } catch (error) {
    if (error instanceof CanonicalError) return { success: false, reason: error.message }
    throw error
  }
}
