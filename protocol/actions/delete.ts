import * as z from 'zod'
import { hashSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, reject } from './rule.ts'

export const deleteContentSchema = z.strictObject({ prev: hashSchema })
export type DeleteContent = z.infer<typeof deleteContentSchema>

/** Deletes a track or a playlist, or withdraws a notice. Its number is a tombstone for ever: listings and the duty to hold end,
 * what others have copied cannot be called back. */
export const deleteKind: Kind<DeleteContent> = {
  number: 5,
  schema: deleteContentSchema,
  reads: () => [],
  rule(input) {
    const { before } = input
    if (before === undefined) return reject('notFound', 'there is nothing under this name')
    if (before.kind === 'user') return reject('wrongSubject', 'a profile can be emptied, not deleted')
    return { verdict: 'applied', changes: [changeSubject(input, before.kind, {}, true)] }
  },
}
