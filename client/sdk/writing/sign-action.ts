import { actionLifeSeconds, type KindName, type SignedAction, signAction } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { authorOf, type Hash, type Subject } from '@hexachord/protocol/names'
import { hexlify } from 'ethers'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'

/** What an action says. `content` comes with `prev`: the hash of the subject's last accepted action, or null. */
export type NewAction = { readonly kind: KindName; readonly subject: Subject; readonly content: Json }

/** Signs an action with a nonce of its own. Nothing is sent.
 * @param goodUntilMs when the chain takes it no more; default: in a day
 * @returns the action and its hash: its name from now on
 * @throws ActionError when every indexer would call it malformed */
export async function signNewAction(
  connection: Pick<Connection, 'domain' | 'now'>,
  account: Account,
  action: NewAction,
  { goodUntilMs }: { readonly goodUntilMs?: number } = {},
): Promise<{ hash: Hash; signed: SignedAction }> {
  const { hash, ...signed } = await signAction(account.signer, connection.domain, {
    ...action,
    author: authorOf(action.subject),
    nonce: BigInt(hexlify(crypto.getRandomValues(new Uint8Array(32)))),
    deadline: Math.floor((goodUntilMs ?? connection.now() + actionLifeSeconds * 1000) / 1000),
  })
  return { hash, signed }
}
