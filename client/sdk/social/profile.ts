import type { UserContent } from '@hexachord/protocol/actions'
import { userSubject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type ActionOutcome, settleNewAction } from '../writing/index.ts'
import { currentUser } from './current-user.ts'
import type { SocialOptions } from './registers.ts'

/** What a profile says; null takes a field away. */
export type ProfileChanges = {
  readonly [Field in keyof Omit<UserContent, 'prev'>]?: UserContent[Field] | null
}

const fields = ['handle', 'name', 'bio', 'links', 'picture', 'sealingKey'] as const

/** Changes what the account's profile says; the rest of it stays. A handle is taken by who comes first.
 * @throws ActionError when it is malformed, ActionRejected (`handleTaken`; `stalePrev` when it was changed elsewhere
 * meanwhile), NotRelayed, ApiError */
export async function changeProfile(
  connection: Connection,
  account: Account,
  changes: ProfileChanges,
  { author = account.address, ...options }: SocialOptions = {},
): Promise<ActionOutcome> {
  const before = await currentUser(connection, author, options.signal)
  const said = { ...before, ...changes }
  const kept = fields.flatMap((field) => {
    const value = said[field]
    return value === undefined || value === null || value.length === 0 ? [] : [[field, value]]
  })
  const content = { prev: before?.last?.digest ?? null, ...Object.fromEntries(kept) }
  const subject = userSubject(author)
  return settleNewAction(connection, account, { kind: 'user', subject, content }, options)
}
