import type { Address, Subject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import type { ActionOutcome } from '../writing/index.ts'
import { type SocialOptions, setRegister } from './registers.ts'

/** Says that something is so, or no longer. It can be said again: that is applied and changes nothing.
 * @param on @default true
 * @throws ActionRejected, NotRelayed, ApiError */
export type SetEdge<To> = (
  connection: Connection,
  account: Account,
  to: To,
  on?: boolean,
  options?: SocialOptions,
) => Promise<ActionOutcome>

function setEdge<To extends string>(
  kind: 'follow' | 'save' | 'repost' | 'mute',
  field: 'user' | 'target',
): SetEdge<To> {
  return (connection, account, to, on = true, options = {}) =>
    setRegister(connection, account, { kind, content: { [field]: to, on } }, options)
}

/** Follows a user, or no longer. */
export const follow = setEdge<Address>('follow', 'user')

/** Keeps a track or playlist among the favourites, or no longer. Everybody can see it. */
export const save = setEdge<Subject>('save', 'target')

/** Shows a track or playlist to one's followers, or no longer. */
export const repost = setEdge<Subject>('repost', 'target')

/** Keeps a user from commenting on one's tracks, or no longer. */
export const mute = setEdge<Address>('mute', 'user')
