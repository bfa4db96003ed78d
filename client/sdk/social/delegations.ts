import type { Scope } from '@hexachord/protocol/actions'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import type { ActionOutcome } from '../writing/index.ts'
import { type SocialOptions, setRegister } from './registers.ts'

/** To be shown before a key is let in. */
export const delegationNotice =
  'The program that holds this key can do what you allow here in your name, without asking, until the time you set or ' +
  'until you revoke it. It can neither take over your account nor let others in. What it has done stays done.'

export type NewDelegation = {
  /** Address of the key that may sign. */
  readonly key: Address
  readonly scopes: readonly Scope[]
  /** A year from now at the latest. */
  readonly expiresAtMs: number
  /** The app that holds the key. */
  readonly app?: Subject | undefined
}

/** Lets another key sign some kinds of actions for the account, or for an author whom it controls: a delegated key cannot.
 * @throws ActionError when it is malformed, ActionRejected, NotRelayed, ApiError */
export function delegate(
  connection: Connection,
  account: Account,
  { key, scopes, expiresAtMs, app }: NewDelegation,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  const content = { key, scopes, expiresAtMs, ...(app === undefined ? {} : { app }) }
  return setRegister(connection, account, { kind: 'delegate', content }, options)
}

/** Lets a key sign nothing any more. @throws ActionRejected, NotRelayed, ApiError */
export function revoke(
  connection: Connection,
  account: Account,
  key: Address,
  options: SocialOptions = {},
): Promise<ActionOutcome> {
  const content = { key, scopes: [], expiresAtMs: connection.now() }
  return setRegister(connection, account, { kind: 'delegate', content }, options)
}
