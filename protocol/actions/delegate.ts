import * as z from 'zod'
import { type Address, addressSchema, type Subject, subjectSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { checkOwnSubject, clockMs, type Register, setRegister } from './register.ts'
import {
  identityOf,
  identitySinceMs,
  livingSubject,
  reject,
  type SubjectState,
  subjectKey,
  type View,
} from './rule.ts'
import { delegableKinds, type Scope } from './vocabulary.ts'

/** A key that is forgotten in some program must end by itself. */
export const longestDelegationMs = 366 * 86_400_000

export const delegateContentSchema = z.strictObject({
  /** Address of the key that may sign. */
  key: addressSchema,
  /** Kinds that it may sign; none revokes it. `delete` reaches what is of another kind in scope. */
  scopes: z
    .array(z.enum(delegableKinds))
    .max(delegableKinds.length)
    .refine((scopes) => new Set(scopes).size === scopes.length, 'must name each kind once'),
  expiresAtMs: z.int().positive(),
  /** The app that holds the key. */
  app: subjectSchema.optional(),
  atMs: clockMs,
})
export type DelegateContent = z.infer<typeof delegateContentSchema>

/** Under {@link delegationKey}. */
export type Delegation = Register & {
  readonly scopes: readonly Scope[]
  readonly expiresAtMs: number
  readonly app: Subject | null
  /** Who let the key in. */
  readonly controller: Address
}

export function delegationKey(author: Address, key: Address): string {
  return `delegate/${author}/${key}`
}

/** The delegation of a key that is in force at a time: neither revoked nor expired, and made by who controls the author
 * now. A rotation ends all that were made before, so that whoever stole a key leaves no other one behind. */
export function delegationInForce(
  view: Pick<View, 'get'>,
  author: Address,
  key: Address,
  atMs: number,
): Delegation | undefined {
  const delegation = view.get(delegationKey(author, key)) as Delegation | undefined | null
  if (!delegation || delegation.scopes.length === 0 || delegation.expiresAtMs <= atMs) return undefined
  const isOfController = delegation.controller === identityOf(view, author, atMs).controller
  return isOfController && delegation.setAtMs >= identitySinceMs(view, author, atMs) ? delegation : undefined
}

/** Whether a delegation covers an action. @param before what is deleted */
export function isInScope(delegation: Delegation, kind: string, before: SubjectState | undefined): boolean {
  const scopes: readonly string[] = delegation.scopes
  return scopes.includes(kind) && (kind !== 'delete' || before === undefined || scopes.includes(before.kind))
}

/** Lets another key sign some kinds of actions for the author until a time, or no longer. Only the controller can. */
export const delegateKind: Kind<DelegateContent> = {
  number: 15,
  schema: delegateContentSchema,
  register: ({ key }, { author }) => delegationKey(author, key),
  reads: ({ app }) => (app === undefined ? [] : [subjectKey(app)]),
  rule(input) {
    const { action, content, place, view } = input
    const refusal = checkOwnSubject(input)
    if (refusal) return refusal
    const { key, scopes, expiresAtMs, app } = content
    if (key === action.author) return reject('wrongSubject', 'an author’s own address is no delegate')
    if (expiresAtMs > place.timestamp * 1000 + longestDelegationMs) {
      return reject(
        'malformed',
        'a delegation ends after 366 days at the latest: give an earlier expiresAtMs',
      )
    }
    if (app !== undefined && scopes.length > 0 && livingSubject(view, app)?.kind !== 'app') {
      return reject('notFound', `there is no app ${app}`)
    }
    const value = { scopes, expiresAtMs, app: app ?? null, controller: action.signer }
    return {
      verdict: 'applied',
      changes: [setRegister(input, delegationKey(action.author, key), value)],
    }
  },
}
