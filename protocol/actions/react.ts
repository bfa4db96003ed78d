import * as z from 'zod'
import { type Address, type Subject, subjectSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { checkOwnSubject, clockMs, type Register, setRegister } from './register.ts'
import { livingSubject, reject, subjectKey } from './rule.ts'
import { type ReactionName, reactions } from './vocabulary.ts'

export const reactContentSchema = z.strictObject({
  comment: subjectSchema,
  /** Null takes it back. */
  reaction: z.enum(reactions).nullable(),
  atMs: clockMs,
})
export type ReactContent = z.infer<typeof reactContentSchema>

/** Under {@link reactionKey}. */
export type Reaction = Register & { readonly reaction: ReactionName | null }

export function reactionKey(author: Address, comment: Subject): string {
  return `react/${author}/${comment}`
}

/** Reacts to a comment: each user in one way at a time. */
export const reactKind: Kind<ReactContent> = {
  number: 11,
  schema: reactContentSchema,
  register: ({ comment }, { author }) => reactionKey(author, comment),
  reads: ({ comment }) => [subjectKey(comment)],
  rule(input) {
    const { action, content, view } = input
    const refusal = checkOwnSubject(input)
    if (refusal) return refusal
    const { comment, reaction } = content
    if (reaction !== null && livingSubject(view, comment)?.kind !== 'comment') {
      return reject('notFound', `there is no comment ${comment}`)
    }
    return {
      verdict: 'applied',
      changes: [setRegister(input, reactionKey(action.author, comment), { reaction })],
    }
  },
}
