import { type Address, userSubject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type ActionOutcome, settleNewAction } from '../writing/index.ts'
import { currentUser } from './current-user.ts'
import type { SocialOptions } from './registers.ts'

/** To be shown before keys are rotated. */
export const rotationNotice =
  'Only the new key speaks in your name from then on: all delegated keys and app passwords end, and so does every other ' +
  'rotation that waits. Your name, tracks, followers and links stay. What belongs to the old key on the chain does not go ' +
  'along: take money out of its wallet, and hand tracks with a price on, with the old key.'

export type NewKeys = {
  /** Who signs for the author from then on. The same key as now ends delegations and app passwords, and nothing else. */
  readonly controller: Address
  /** Who may take the author over, seven days after it asks, unless the controller rotates meanwhile; null for nobody.
   * @default as it is. Only the controller can say it */
  readonly recovery?: Address | null | undefined
}

/** Changes who signs for an author: at once when the controller signs, after seven days when the recovery key does. The
 * author is named by `author`, where the account is not its first key.
 * @throws ActionError when it is malformed, ActionRejected (`notAuthorised`; `stalePrev` when the profile was changed
 * elsewhere meanwhile: the same call may be made again), NotRelayed, ApiError */
export async function rotate(
  connection: Connection,
  account: Account,
  { controller, recovery }: NewKeys,
  { author = account.address, ...options }: SocialOptions = {},
): Promise<ActionOutcome> {
  const before = await currentUser(connection, author, options.signal)
  const content = {
    prev: before?.last?.digest ?? null,
    controller,
    ...(recovery === undefined ? {} : { recovery }),
  }
  const subject = userSubject(author)
  return settleNewAction(connection, account, { kind: 'rotate', subject, content }, options)
}

/** Whose key signs for an author now, as the index has it; its first one until it was rotated. @throws ApiError */
export async function controllerOf(
  connection: Connection,
  author: Address,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Address> {
  return (await currentUser(connection, author, options.signal))?.controller ?? author
}
