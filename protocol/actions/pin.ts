import * as z from 'zod'
import { type Subject, subjectSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { clockMs, type Register, setRegister } from './register.ts'
import { livingSubject, reject, subjectKey } from './rule.ts'

export const pinContentSchema = z.strictObject({
  /** One of the track's; null pins none. */
  comment: subjectSchema.nullable(),
  atMs: clockMs,
})
export type PinContent = z.infer<typeof pinContentSchema>

/** Under {@link pinKey}. */
export type Pin = Register & { readonly comment: Subject | null }

export function pinKey(track: Subject): string {
  return `pin/${track}`
}

/** Puts one comment above all others of the author's track, which is the subject. Threads are pinned by their first
 * comment. */
export const pinKind: Kind<PinContent> = {
  number: 12,
  schema: pinContentSchema,
  register: (_, { subject }) => pinKey(subject),
  reads: ({ comment }) => (comment === null ? [] : [subjectKey(comment)]),
  rule(input) {
    const { action, content, view, before } = input
    if (before?.kind !== 'track' || before.deleted) {
      return reject('notFound', `there is no track ${action.subject}`)
    }
    const { comment } = content
    if (comment !== null) {
      const state = livingSubject(view, comment)
      if (state?.kind !== 'comment' || state.body.track !== action.subject || state.body.root !== undefined) {
        return reject('notFound', `${comment} begins no thread on this track`)
      }
    }
    return { verdict: 'applied', changes: [setRegister(input, pinKey(action.subject), { comment })] }
  },
}
