import { actionLifeSeconds, type KindName, type SignedAction, signAction } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { authorOf, type Hash, hashSchema, type Subject } from '@hexachord/protocol/names'
import { type ActionStatus, actionStatusSchema } from '@hexachord/protocol/rest'
import { hexlify } from 'ethers'
import pRetry, { AbortError } from 'p-retry'
import * as z from 'zod'
import { ApiError, type Connection, readJson } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from './tokens.ts'

/** Between two questions about an action that waits: the chain makes a block each second or slower. */
const pollMs = 300

export type ActionOutcome = { readonly hash: Hash; readonly status: ActionStatus }

/** The network judged an action and did not take it; `verdict` says why in one word. */
export class ActionRejected extends Error {
  override readonly name = 'ActionRejected'
  readonly status: ActionStatus

  constructor(status: ActionStatus) {
    super(`the action was rejected: ${status.reason ?? status.verdict ?? 'no reason was given'}`)
    this.status = status
  }
}

/** Signs an action and hands it to a creator node, which pays for the chain. Nothing has happened until
 * {@link waitForAction} says so.
 * @param content with `prev`: the hash of the subject's last accepted action, or null
 * @returns the action's hash: its name from now on
 * @throws ActionError, ApiError */
export async function writeAction(
  connection: Connection,
  account: Account,
  action: { kind: KindName; subject: Subject; content: Json },
  options: { signal?: AbortSignal } = {},
): Promise<Hash> {
  const { hash, ...signed } = await signAction(account.signer, connection.domain, {
    ...action,
    author: authorOf(action.subject),
    nonce: BigInt(hexlify(crypto.getRandomValues(new Uint8Array(32)))),
    deadline: Math.floor(connection.now() / 1000) + actionLifeSeconds,
  })
  await relayAction(connection, account, signed, options)
  return hash
}

/** Hands a signed action to the first creator node that takes it. The same action may be handed over any
 * number of times, to any number of nodes. @throws ApiError of the last node */
export async function relayAction(
  connection: Connection,
  account: Account,
  signed: SignedAction,
  { signal }: { signal?: AbortSignal } = {},
): Promise<void> {
  let last: Error = new ApiError('no creator node is known: give one to relay the action', {
    status: 0,
    url: '',
  })
  for (const node of connection.creators) {
    try {
      await readJson(connection.http, `${node}/actions`, z.object({ hash: hashSchema }), {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: await tokenFor(connection, account, node),
        },
        body: JSON.stringify(signed),
        ...(signal ? { signal } : {}),
      })
      return
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      last = error
      const aboutTheAction = [400, 409, 422].includes(error.status)
      if (aboutTheAction) throw error
    }
  }
  throw last
}

/** Waits until discovery has judged an action: what was written can be read from then on.
 * @param timeoutMs default two minutes
 * @throws ActionRejected, or ApiError when it takes too long */
export async function waitForAction(
  connection: Connection,
  hash: Hash,
  {
    signal,
    timeoutMs = 120_000,
    onStatus,
  }: { signal?: AbortSignal; timeoutMs?: number; onStatus?: (status: ActionStatus) => void } = {},
): Promise<ActionOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout
  try {
    return await pRetry(() => judged(connection, hash, either, onStatus), {
      retries: Math.ceil(timeoutMs / pollMs),
      minTimeout: pollMs,
      factor: 1,
      signal: either,
    })
  } catch (error) {
    if (!timeout.aborted) throw error
    throw new ApiError(`action ${hash} is not indexed after ${timeoutMs / 1000} s; it may still come`, {
      status: 0,
      url: '',
      cause: error,
    })
  }
}

async function judged(
  connection: Connection,
  hash: Hash,
  signal: AbortSignal,
  onStatus?: (status: ActionStatus) => void,
): Promise<ActionOutcome> {
  const status = await statusOf(connection, hash, signal)
  onStatus?.(status)
  if (status.status === 'applied') return { hash, status }
  if (status.status === 'rejected') throw new AbortError(new ActionRejected(status))
  throw new Error(`the action is ${status.status}`)
}

/** Discovery first: only what it has applied can be read. A relay knows of what is not on the chain yet. */
async function statusOf(connection: Connection, hash: Hash, signal: AbortSignal): Promise<ActionStatus> {
  try {
    return await connection.discover(`/v1/actions/${hash}`, actionStatusSchema, { signal })
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error
  }
  for (const node of connection.creators) {
    try {
      const status = await readJson(connection.http, `${node}/actions/${hash}`, actionStatusSchema, {
        signal,
      })
      return status.status === 'applied' ? { ...status, status: 'mined' } : status
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
    }
  }
  return { hash, status: 'pending' }
}
