import type { KindName } from '@hexachord/protocol/actions'
import { type Address, type Subject, userSubject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type ActionOutcome, type SettleOptions, settleNewAction } from '../writing/index.ts'

export type SocialOptions = SettleOptions & {
  /** For whom the account signs, by a delegated key or since their keys were rotated to it. @default the account itself */
  readonly author?: Address | undefined
}

/** What a user says anew at any time, such as whom it follows: nothing must be read before, the latest word by this
 * clock counts.
 * @param subject default the author's own */
export function setRegister(
  connection: Connection,
  account: Account,
  {
    kind,
    content,
    subject,
  }: {
    kind: KindName
    content: Record<string, string | number | boolean | null | readonly string[]>
    subject?: Subject
  },
  { author = account.address, ...options }: SocialOptions = {},
): Promise<ActionOutcome> {
  const said = { ...content, atMs: connection.now() }
  return settleNewAction(
    connection,
    account,
    { kind, subject: subject ?? userSubject(author), content: said },
    options,
  )
}
