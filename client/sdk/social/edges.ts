import type { Address, Subject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import type { ActionOutcome } from '../writing/index.ts'
import { type SocialOptions, setRegister } from './registers.ts'

/** Follows a user, or no longer. All of these can be said again: it is applied and changes nothing.
 * @throws ActionRejected, NotRelayed, ApiError; so do all in this file */
export function follow(
  connection: Connection,
  account: Account,
  user: Address,
  on = true,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  return setRegister(connection, account, { kind: 'follow', content: { user, on } }, options)
}

/** Keeps a track or playlist among the favourites, or no longer. Everybody can see it. */
export function save(
  connection: Connection,
  account: Account,
  target: Subject,
  on = true,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  return setRegister(connection, account, { kind: 'save', content: { target, on } }, options)
}

/** Shows a track or playlist to one's followers, or no longer. */
export function repost(
  connection: Connection,
  account: Account,
  target: Subject,
  on = true,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  return setRegister(connection, account, { kind: 'repost', content: { target, on } }, options)
}

/** Keeps a user from commenting on one's tracks, or no longer. */
export function mute(
  connection: Connection,
  account: Account,
  user: Address,
  on = true,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  return setRegister(connection, account, { kind: 'mute', content: { user, on } }, options)
}
