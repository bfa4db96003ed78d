import { openAction, type SignedAction } from '@hexachord/protocol/actions'
import { type Hash, hashSchema } from '@hexachord/protocol/names'
import * as z from 'zod'
import {
  ApiError,
  type Connection,
  isPassing,
  listCreators,
  noAnswer,
  patiently,
  readJson,
} from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { knownStatus } from './action-status.ts'
import { tokenFor } from './tokens.ts'

/** How long all creator nodes may be away, such as for a restart of the only one. */
const relayPatienceMs = 60_000
const relayAnswerSchema = z.object({ hash: hashSchema })

/** No creator node takes the action to the chain now: budgets are spent, doors are closed, or all are away. It is signed
 * and can be sent by its author, with `payForAction`. `status` and `problem` are those of the last node. */
export class NotRelayed extends ApiError {
  override readonly name = 'NotRelayed'
  readonly signed: SignedAction
  readonly hash: Hash

  constructor(cause: ApiError, signed: SignedAction, hash: Hash) {
    const { status, url, problem, retryAfterMs } = cause
    super(cause.message, {
      ...{ status, url, cause },
      ...(problem ? { problem } : {}),
      ...(retryAfterMs ? { retryAfterMs } : {}),
    })
    this.signed = signed
    this.hash = hash
  }
}

/** Hands a signed action to the first creator node that takes it: those of the connection, then others that are on the
 * chain; where all are away, again for a minute. The same action may be handed over any number of times, to any number
 * of nodes: it happens once.
 * @param patienceMs how long all nodes may be away; default one minute
 * @returns the action's hash
 * @throws NotRelayed when none takes it, ApiError when it is no good, ActionError when it is malformed */
export async function relayAction(
  connection: Connection,
  account: Account,
  signed: SignedAction,
  { signal, patienceMs = relayPatienceMs }: { signal?: AbortSignal | undefined; patienceMs?: number } = {},
): Promise<Hash> {
  const { hash } = openAction(signed, connection.domain)
  let others: readonly string[] | undefined
  const round = async (): Promise<Hash> => {
    let last = new ApiError('no creator node is known: give one to relay the action', { status: 0, url: '' })
    let passing: ApiError | undefined
    const attempt = async (node: string): Promise<boolean> => {
      try {
        await relayTo(connection, account, node, { hash, signed, signal })
        return true
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        // A node that did not answer may have taken it, and now its nonce is used.
        if (error.status === 409 && (await knownStatus(connection, hash, signal))) return true
        // What one node says of the action, the others would say too.
        if ([400, 409, 422].includes(error.status)) throw error
        if (isPassing(error)) passing = error
        last = error
        return false
      }
    }
    for (const node of connection.creators) if (await attempt(node)) return hash
    others ??= await otherCreators(connection, signal)
    for (const node of others) if (await attempt(node)) return hash
    throw new NotRelayed(passing ?? last, signed, hash)
  }
  const known = connection.creators.length > 0
  return patiently(round, { signal, patienceMs: () => (known ? patienceMs : 0) })
}

/** Nothing but the price of a request is lost where discovery cannot tell. */
async function otherCreators(connection: Connection, signal: AbortSignal | undefined): Promise<string[]> {
  try {
    const found = await listCreators(connection, { signal })
    return found.filter((origin) => !connection.creators.includes(origin))
  } catch (error) {
    if (error instanceof ApiError) return []
    throw error
  }
}

async function relayTo(
  connection: Connection,
  account: Account,
  node: string,
  { hash, signed, signal }: { hash: Hash; signed: SignedAction; signal: AbortSignal | undefined },
): Promise<void> {
  const url = `${node}/actions`
  const answer = await readJson(connection.http, url, relayAnswerSchema, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: await tokenFor(connection, account, node),
    },
    body: JSON.stringify(signed),
    ...(signal ? { signal } : {}),
  })
  if (answer.hash !== hash) throw noAnswer(url, `it took another action than the one it was given, ${hash}`)
}
