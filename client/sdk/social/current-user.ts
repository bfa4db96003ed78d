import type { Address } from '@hexachord/protocol/names'
import type { User } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '../connect/index.ts'
import { findUser } from '../finding/index.ts'

/** @returns undefined for an author who has done nothing yet @throws ApiError */
export async function currentUser(
  connection: Connection,
  author: Address,
  signal: AbortSignal | undefined,
): Promise<User | undefined> {
  try {
    return await findUser(connection, author, signal ? { signal } : {})
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}
