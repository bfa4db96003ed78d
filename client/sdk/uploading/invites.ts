import * as z from 'zod'
import { ApiError, type Connection, readJson } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from '../writing/index.ts'

const redeemedSchema = z.object({ mayPublish: z.literal(true) })

type Invited = {
  readonly connection: Connection
  readonly account: Account
  /** Origin. */
  readonly node: string
  readonly invite?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Does something at a node that may take only whom it has invited: the invite is given when it asks for one.
 * @throws what `work` throws, ApiError when the invite is not taken */
export async function withInvite<T>(invited: Invited, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { invite } = invited
    if (invite === undefined || !(error instanceof ApiError)) throw error
    if (error.problem !== 'urn:hexachord:problem:invite-needed') throw error
    await redeemInvite(invited, invite)
    return work()
  }
}

/** One invite is for one account; giving it again does no harm. @throws ApiError */
async function redeemInvite({ connection, account, node, signal }: Invited, invite: string): Promise<void> {
  await readJson(connection.http, `${node}/publishers`, redeemedSchema, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: await tokenFor(connection, account, node),
    },
    body: JSON.stringify({ invite }),
    ...(signal ? { signal } : {}),
  })
}
