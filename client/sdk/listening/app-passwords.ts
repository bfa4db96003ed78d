import type { Address, Hash } from '@hexachord/protocol/names'
import {
  type AppPassword,
  appPasswordSchema,
  listOf,
  type NewAppPassword,
  newAppPasswordSchema,
  revokedAppPasswordSchema,
} from '@hexachord/protocol/rest'
import { createAppPasswordToken } from '@hexachord/protocol/tokens'
import { hexlify } from 'ethers'
import { type Connection, readJson } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from '../writing/index.ts'
import { atFirstThatKnows, isUnknown } from './at-first-that-knows.ts'

type Options = {
  readonly signal?: AbortSignal
  /** Whose passwords they are: somebody whom the account controls since their keys were rotated to it.
   * @default the account itself */
  readonly author?: Address | undefined
}

/** Time for a person to look at what a wallet shows before it signs. */
const lifeMs = 5 * 60_000

/** What a player that speaks OpenSubsonic is told: `server` is an origin, and the password is shown this once. */
export type AppPasswordMade = NewAppPassword & { readonly server: string }

/** Makes a password with which one device's player reads and streams in the name of the account, at the best provider
 * that keeps app passwords: `server` of the answer. It signs nothing, is worth nothing elsewhere, and ends when the keys of the
 * account are rotated.
 * @param device what the listener calls it, 1 to 60 characters
 * @throws ApiError (404 when no provider keeps any), NoProvider */
export async function createAppPassword(
  connection: Connection,
  account: Account,
  device: string,
  { author, ...options }: Options = {},
): Promise<AppPasswordMade> {
  return atFirstThatKnows(connection, async (server) => {
    const authorization = await createAppPasswordToken(account.signer, connection.domain, {
      account: author,
      audience: server,
      device,
      nonce: hexlify(crypto.getRandomValues(new Uint8Array(32))) as Hash,
      expiresAt: connection.now() + lifeMs,
    })
    const made = await readJson(connection.http, `${server}/v1/app-passwords`, newAppPasswordSchema, {
      ...options,
      method: 'POST',
      headers: { authorization },
    })
    return { ...made, server }
  })
}

/** The account's app passwords at all providers of the connection; one that keeps none is left out. @throws ApiError */
export async function listAppPasswords(
  connection: Connection,
  account: Account,
  { author, ...options }: Options = {},
): Promise<(AppPassword & { readonly server: string })[]> {
  const lists = await Promise.all(
    connection.providers.map(async ({ origin: server }) => {
      const authorization = await tokenFor(connection, account, server, { author })
      const init = { ...options, headers: { authorization } }
      try {
        const { items } = await readJson(
          connection.http,
          `${server}/v1/app-passwords`,
          listOf(appPasswordSchema),
          init,
        )
        return items.map((item) => ({ ...item, server }))
      } catch (error) {
        if (isUnknown(error)) return []
        throw error
      }
    }),
  )
  return lists.flat()
}

/** Revokes an app password at the provider that made it, whichever that is. @throws ApiError 404 when none did */
export async function revokeAppPassword(
  connection: Connection,
  account: Account,
  id: string,
  { author, ...options }: Options = {},
): Promise<{ readonly server: string }> {
  return atFirstThatKnows(connection, async (server) => {
    const authorization = await tokenFor(connection, account, server, { author })
    const url = `${server}/v1/app-passwords/${encodeURIComponent(id)}`
    await readJson(connection.http, url, revokedAppPasswordSchema, {
      ...options,
      method: 'DELETE',
      headers: { authorization },
    })
    return { server }
  })
}
