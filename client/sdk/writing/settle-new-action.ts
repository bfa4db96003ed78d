import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import type { ActionOutcome } from './actions.ts'
import { settleAction } from './actions.ts'
import { type NewAction, signNewAction } from './sign-action.ts'

export type SettleOptions = Parameters<typeof settleAction>[3]

/** Signs an action and waits until the network has judged it: all that it takes to do something that needs no reading
 * first. The account may be a delegated key: then the action's subject is another author's.
 * @throws ActionError when it is malformed, ActionRejected, NotRelayed, ApiError, and the signal's reason */
export async function settleNewAction(
  connection: Connection,
  account: Account,
  action: NewAction,
  options: SettleOptions = {},
): Promise<ActionOutcome> {
  const { signed } = await signNewAction(connection, account, action)
  return settleAction(connection, account, signed, options)
}
