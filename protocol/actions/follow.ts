import * as z from 'zod'
import { type Address, addressSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { checkOwnSubject, clockMs, setEdge } from './register.ts'
import { reject } from './rule.ts'

export const followContentSchema = z.strictObject({
  user: addressSchema,
  /** Whether the author follows from now on. */
  on: z.boolean(),
  atMs: clockMs,
})
export type FollowContent = z.infer<typeof followContentSchema>

export function followKey(author: Address, user: Address): string {
  return `follow/${author}/${user}`
}

/** Follows a user, or no longer. Anyone can be followed, known or not. Saying it again is applied and changes nothing. */
export const followKind: Kind<FollowContent> = {
  number: 7,
  schema: followContentSchema,
  register: ({ user }, { author }) => followKey(author, user),
  reads: () => [],
  rule(input) {
    const { action, content } = input
    const refusal = checkOwnSubject(input)
    if (refusal) return refusal
    if (content.user === action.author) return reject('wrongSubject', 'nobody follows oneself')
    return setEdge(input, followKey(action.author, content.user))
  },
}
