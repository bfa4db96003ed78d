import type { Address } from '@hexachord/protocol/names'
import { type WritingKey, writingKeySchema } from '@hexachord/protocol/rest'
import { type Connection, readJson } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { delegate, revoke, type SocialOptions } from '../social/index.ts'
import { tokenFor } from '../writing/index.ts'
import { atFirstThatKnows, isUnknown } from './at-first-that-knows.ts'

const dayMs = 86_400_000

export type PlayerWritesAllowed = {
  /** Origin of the provider that may sign now. */
  readonly server: string
  /** Its key for this account. */
  readonly key: Address
  readonly scopes: WritingKey['scopes']
  readonly expiresAtMs: number
}

/** Lets the best provider that signs for listeners sign what the account's players write there, which is favourites, follows and
 * playlists, until a time or until it is forbidden. To be shown before: `delegationNotice` of `social`.
 * @param days 1 to 365
 * @throws ActionRejected, NotRelayed, ApiError (404 when no provider signs for anybody), NoProvider */
export async function allowPlayerWrites(
  connection: Connection,
  account: Account,
  { days = 365, ...options }: SocialOptions & { days?: number } = {},
): Promise<PlayerWritesAllowed> {
  const { server, key, scopes } = await atFirstThatKnows(connection, async (server) => ({
    server,
    ...(await writingKeyAt(connection, account, server, options)),
  }))
  const expiresAtMs = connection.now() + days * dayMs
  await delegate(connection, account, { key, scopes, expiresAtMs }, options)
  return { server, key, scopes, expiresAtMs }
}

/** Lets no provider of the connection sign anything for the account's players any more.
 * @returns origins of those which could
 * @throws ActionRejected, NotRelayed, ApiError */
export async function forbidPlayerWrites(
  connection: Connection,
  account: Account,
  options: SocialOptions = {},
): Promise<string[]> {
  const forbidden = []
  for (const { origin } of connection.providers) {
    try {
      const { key, allowed } = await writingKeyAt(connection, account, origin, options)
      if (allowed.length === 0) continue
      await revoke(connection, account, key, options)
      forbidden.push(origin)
    } catch (error) {
      if (!isUnknown(error)) throw error
    }
  }
  return forbidden
}

async function writingKeyAt(
  connection: Connection,
  account: Account,
  server: string,
  { author, signal }: SocialOptions,
): Promise<WritingKey> {
  const authorization = await tokenFor(connection, account, server, { author })
  return readJson(connection.http, `${server}/v1/writing-key`, writingKeySchema, {
    headers: { authorization },
    ...(signal ? { signal } : {}),
  })
}
