import * as z from 'zod'
import { type Address, addressSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { checkOwnSubject, clockMs, type Edge, setEdge } from './register.ts'
import { reject, type View } from './rule.ts'

export const muteContentSchema = z.strictObject({
  user: addressSchema,
  on: z.boolean(),
  atMs: clockMs,
})
export type MuteContent = z.infer<typeof muteContentSchema>

export function muteKey(author: Address, user: Address): string {
  return `mute/${author}/${user}`
}

export function isMuted(view: Pick<View, 'get'>, author: Address, user: Address): boolean {
  return (view.get(muteKey(author, user)) as Edge | undefined | null)?.on === true
}

/** Keeps a user from commenting on the author's tracks, or no longer. What the user wrote there before is not shown for
 * as long, nor are threads that the user began, and comes back with the right to write. It is counted all the same. */
export const muteKind: Kind<MuteContent> = {
  number: 13,
  schema: muteContentSchema,
  register: ({ user }, { author }) => muteKey(author, user),
  reads: () => [],
  rule(input) {
    const { action, content } = input
    const refusal = checkOwnSubject(input)
    if (refusal) return refusal
    if (content.user === action.author) return reject('wrongSubject', 'nobody mutes oneself')
    return setEdge(input, muteKey(action.author, content.user))
  },
}
