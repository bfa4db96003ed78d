import * as z from 'zod'
import { hashSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, reject } from './rule.ts'

export const deleteContentSchema = z.strictObject({ prev: hashSchema })
export type DeleteContent = z.infer<typeof deleteContentSchema>

/** Deletes a track, a playlist, a comment or an app, or withdraws a notice. Its number is a tombstone for ever: listings
 * and the duty to hold end, what others have copied cannot be called back. A comment keeps its place in the thread. */
export const deleteKind: Kind<DeleteContent> = {
  number: 5,
  schema: deleteContentSchema,
  reads: () => [],
  rule(input) {
    const { before } = input
    if (before === undefined) return reject('notFound', 'there is nothing under this name')
    if (before.kind === 'user') return reject('wrongSubject', 'a profile can be emptied, not deleted')
    const { track, replyTo, root } = before.body
    const kept = before.kind === 'comment' ? { track, replyTo, root } : {}
    return { verdict: 'applied', changes: [changeSubject(input, before.kind, kept, true)] }
  },
}
