import type { AppContent } from '@hexachord/protocol/actions'
import { freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type SettleOptions, settleNewAction } from '../writing/index.ts'

/** Makes an app known, so that users see whose key it is that they let in.
 * @returns the app's name, which goes into delegations
 * @throws ActionError when it is malformed, ActionRejected, NotRelayed, ApiError */
export async function publishApp(
  connection: Connection,
  account: Account,
  app: Omit<AppContent, 'prev'>,
  options: SettleOptions = {},
): Promise<Subject> {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  const subject = subjectOf(account.address, number)
  await settleNewAction(
    connection,
    account,
    { kind: 'app', subject, content: { prev: null, ...app } },
    options,
  )
  return subject
}
