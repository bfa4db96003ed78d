import * as z from 'zod'
import { addressSchema, hashSchema, userSubject } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import {
  changeSubject,
  type Identity,
  identityKey,
  identityOf,
  identitySinceMs,
  type RuleInput,
  reject,
  type Verdict,
} from './rule.ts'

/** Time in which a controller can undo what its recovery key asked for: seven days. */
export const recoveryDelayMs = 7 * 86_400_000

export const rotateContentSchema = z.strictObject({
  prev: hashSchema.nullable(),
  controller: addressSchema,
  /** Left out: stays as it is. Ignored when the recovery key signs. */
  recovery: addressSchema.nullable().optional(),
})
export type RotateContent = z.infer<typeof rotateContentSchema>

/** Changes who controls an author: at once when the controller signs, after a delay when the registered
 * recovery key does. Any rotation by the controller cancels one that waits, and ends every delegation that was made
 * in a second before it: to rotate to the same key is the way to revoke them all. One to another key ends all. The name
 * stays the same. */
export const rotateKind: Kind<RotateContent> = {
  number: 4,
  schema: rotateContentSchema,
  reads: () => [],
  rule: (input) =>
    rotate(input, (atMs, byController) =>
      byController ? { sinceMs: atMs } : { sinceMs: identitySinceMs(input.view, input.action.author, atMs) },
    ),
}

/** As version 1 of the rules has it: there was nothing yet that a rotation could end. */
export const firstRotateKind: Kind<RotateContent> = {
  ...rotateKind,
  rule: (input) => rotate(input, () => ({})),
}

function rotate(
  input: RuleInput<RotateContent>,
  since: (atMs: number, byController: boolean) => Pick<Identity, 'sinceMs'>,
): Verdict {
  const { action, view, place, content, before } = input
  if (action.subject !== userSubject(action.author)) {
    return reject('wrongSubject', `keys are rotated under ${userSubject(action.author)}`)
  }
  const atMs = place.timestamp * 1000
  const identity = identityOf(view, action.author, atMs)
  const byController = action.signer === identity.controller
  const next: Identity = byController
    ? {
        controller: content.controller,
        recovery: content.recovery === undefined ? identity.recovery : content.recovery,
        pending: null,
      }
    : { ...identity, pending: { controller: content.controller, atMs: atMs + recoveryDelayMs } }
  return {
    verdict: 'applied',
    changes: [
      changeSubject(input, 'user', before?.body ?? {}),
      { key: identityKey(action.author), value: { ...next, ...since(atMs, byController) } },
    ],
  }
}
