import type { Hash } from '@hexachord/protocol/names'
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
import { ApiError, type Connection, NoProvider, readJson } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from '../writing/index.ts'

type Options = { readonly signal?: AbortSignal }

/** Time for a person to look at what a wallet shows before it signs. */
const lifeMs = 5 * 60_000

/** What a player that speaks OpenSubsonic is told: `server` is an origin, and the password is shown this once. */
export type AppPasswordMade = NewAppPassword & { readonly server: string }

/** Makes a password with which one device's player reads and streams at the best provider that there is, in the name of
 * the account. It signs nothing, and is worth nothing elsewhere.
 * @param device what the listener calls it, 1 to 60 characters
 * @throws ApiError, NoProvider */
export async function createAppPassword(
  connection: Connection,
  account: Account,
  device: string,
  options: Options = {},
): Promise<AppPasswordMade> {
  const [provider] = connection.providers
  if (provider === undefined) throw new NoProvider('no discovery provider is known')
  const server = provider.origin
  const authorization = await createAppPasswordToken(account.signer, connection.domain, {
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
}

/** The account's app passwords at all providers of the connection; one that keeps none is left out. @throws ApiError */
export async function listAppPasswords(
  connection: Connection,
  account: Account,
  options: Options = {},
): Promise<(AppPassword & { readonly server: string })[]> {
  const lists = await Promise.all(
    connection.providers.map(async ({ origin: server }) => {
      const authorization = await tokenFor(connection, account, server)
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
  options: Options = {},
): Promise<{ readonly server: string }> {
  let unknown: unknown = new NoProvider('no discovery provider is known')
  for (const { origin: server } of connection.providers) {
    const authorization = await tokenFor(connection, account, server)
    const url = `${server}/v1/app-passwords/${encodeURIComponent(id)}`
    try {
      await readJson(connection.http, url, revokedAppPasswordSchema, {
        ...options,
        method: 'DELETE',
        headers: { authorization },
      })
      return { server }
    } catch (error) {
      if (!isUnknown(error)) throw error
      unknown = error
    }
  }
  throw unknown
}

function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}
