import {
  actionLifeSeconds,
  type KindName,
  openAction,
  type SignedAction,
  signAction,
} from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { authorOf, type Hash, hashSchema, type Subject } from '@hexachord/protocol/names'
import { type ActionStatus, actionStatusSchema } from '@hexachord/protocol/rest'
import { hexlify } from 'ethers'
import * as z from 'zod'
import {
  ApiError,
  type Connection,
  isPassing,
  noAnswer,
  patiently,
  pause,
  readJson,
} from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from './tokens.ts'

/** Between two questions about an action that waits: the chain makes a block each second or slower. */
const pollMs = 300
/** How long all creator nodes may be away, such as for a restart of the only one. */
const relayPatienceMs = 60_000
const relayAnswerSchema = z.object({ hash: hashSchema })

type Options = { readonly signal?: AbortSignal }

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
  options: Options = {},
): Promise<Hash> {
  const { hash: _, ...signed } = await signAction(account.signer, connection.domain, {
    ...action,
    author: authorOf(action.subject),
    nonce: BigInt(hexlify(crypto.getRandomValues(new Uint8Array(32)))),
    deadline: Math.floor(connection.now() / 1000) + actionLifeSeconds,
  })
  return relayAction(connection, account, signed, options)
}

/** Hands a signed action to the first creator node that takes it; where all are away, again for a minute. The
 * same action may be handed over any number of times, to any number of nodes: it happens once.
 * @param patienceMs how long all nodes may be away; default one minute
 * @returns the action's hash
 * @throws ApiError of the last node, ActionError when the action is malformed */
export async function relayAction(
  connection: Connection,
  account: Account,
  signed: SignedAction,
  { signal, patienceMs = relayPatienceMs }: Options & { patienceMs?: number } = {},
): Promise<Hash> {
  const { hash } = openAction(signed, connection.domain)
  const round = async (): Promise<Hash> => {
    let last = new ApiError('no creator node is known: give one to relay the action', {
      status: 400,
      url: '',
    })
    let passing: ApiError | undefined
    for (const node of connection.creators) {
      try {
        return await relayTo(connection, account, node, { hash, signed, signal })
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        // A node that did not answer may have taken it, and now its nonce is used.
        if (error.status === 409 && (await knownStatus(connection, hash, signal))) return hash
        // What one node says of the action, the others would say too.
        if ([400, 409, 422].includes(error.status)) throw error
        if (isPassing(error)) passing = error
        last = error
      }
    }
    throw passing ?? last
  }
  return patiently(round, { signal, patienceMs: () => patienceMs })
}

async function relayTo(
  connection: Connection,
  account: Account,
  node: string,
  { hash, signed, signal }: { hash: Hash; signed: SignedAction; signal: AbortSignal | undefined },
): Promise<Hash> {
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
  return hash
}

/** Waits until discovery has judged an action: what was written can be read from then on.
 * @param timeoutMs default two minutes
 * @throws ActionRejected, ApiError when it takes too long, and the signal's reason */
export async function waitForAction(
  connection: Connection,
  hash: Hash,
  {
    signal,
    timeoutMs = 120_000,
    onStatus,
  }: Options & { timeoutMs?: number; onStatus?: (status: ActionStatus) => void } = {},
): Promise<ActionOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout
  try {
    for (;;) {
      const status = (await knownStatus(connection, hash, either)) ?? { hash, status: 'pending' }
      onStatus?.(status)
      if (status.status === 'applied') return { hash, status }
      if (status.status === 'rejected') throw new ActionRejected(status)
      await pause(pollMs, either)
    }
  } catch (error) {
    if (!timeout.aborted || signal?.aborted) throw error
    throw noAnswer('', `action ${hash} is not indexed after ${timeoutMs / 1000} s; it may still come`, error)
  }
}

/** Discovery first: only what it has applied can be read. A relay knows of what is not on the chain yet. */
async function knownStatus(
  connection: Connection,
  hash: Hash,
  signal: AbortSignal | undefined,
): Promise<ActionStatus | undefined> {
  const init = signal ? { signal } : {}
  const judged = await unlessAway(() => connection.discover(`/v1/actions/${hash}`, actionStatusSchema, init))
  if (judged) return judged
  const relays = await Promise.all(
    connection.creators.map((node) =>
      unlessAway(() => readJson(connection.http, `${node}/actions/${hash}`, actionStatusSchema, init)),
    ),
  )
  const said = (...names: ActionStatus['status'][]) =>
    relays.find((status) => status && names.includes(status.status))
  const mined = said('mined', 'applied')
  if (mined) return { ...mined, status: 'mined' }
  // One relay's refusal means nothing while another one still tries.
  return said('pending') ?? said('rejected')
}

/** Neither a 404 nor a node that is away for now ends the waiting. */
async function unlessAway<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isPassing(error) || (error instanceof ApiError && error.status === 404)) return undefined
    throw error
  }
}
