import { Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import { type Identity, identityKey, identityOf, identitySinceMs } from '@hexachord/protocol/actions'
import type { Address } from '@hexachord/protocol/names'
import type { Domain } from '@hexachord/protocol/signing'
import { type Claim, openToken, TokenError } from '@hexachord/protocol/tokens'
import { readState } from '../indexing/state.ts'

/** An account in the hands that it is in. */
export type HeldAccount = {
  readonly account: Address
  /** Whose key signs for it. */
  readonly controller: Address
  /** When its keys were last rotated, ms since 1970; 0 for never. */
  readonly sinceMs: number
}

/** The account for which a token in a header `Authorization` speaks, by the key that controls it now.
 * @throws Problem 401 */
export type AccountOf = (authorization: string | undefined) => Promise<HeldAccount>

type Parts = { readonly postgres: Pick<Postgres, 'query'>; readonly now: () => number }

/** @param audience origin of this provider, which tokens must name
 * @param now ms since 1970 */
export function createAccountOf(parts: Parts & { domain: Domain; audience: string }): AccountOf {
  return async (header) =>
    heldBySigner(
      parts,
      opened(() => openToken(header, { ...parts, now: parts.now() })),
    )
}

/** The account of a signed message, if its signer controls it: by the index, as it would judge an action that came now.
 * @throws Problem 401 */
export async function heldBySigner(
  { postgres, now }: Parts,
  { account, signer }: Claim,
): Promise<HeldAccount> {
  const key = identityKey(account)
  const state = await readState(postgres, [key])
  const held = heldAt(account, state.get(key) as Identity | undefined, now())
  if (held.controller === signer) return held
  throw invalidToken(
    held.controller === account
      ? 'the token was not signed by its account for this network'
      : `the token was not signed for this network by ${held.controller}, who controls ${account} since its keys were rotated`,
  )
}

/** Who has an account at a time.
 * @param identity as the index has it */
export function heldAt(account: Address, identity: Identity | null | undefined, atMs: number): HeldAccount {
  const view = { get: (key: string) => (key === identityKey(account) ? (identity ?? undefined) : undefined) }
  const { controller } = identityOf(view, account, atMs)
  return { account, controller, sinceMs: identitySinceMs(view, account, atMs) }
}

/** @param open a signed message @throws Problem 401 in place of TokenError */
export function opened<T>(open: () => T): T {
  try {
    return open()
  } catch (cause) {
    if (!(cause instanceof TokenError)) throw cause
    throw invalidToken(cause.message, cause)
  }
}

function invalidToken(detail: string, cause?: TokenError): Problem {
  return new Problem({
    status: 401,
    slug: 'invalid-token',
    detail,
    headers: { 'WWW-Authenticate': 'Hexachord' },
    ...(cause ? { cause } : {}),
  })
}
