import { openAction, type SignedAction } from '@hexachord/protocol/actions'
import type { Hash } from '@hexachord/protocol/names'
import type { ActionStatus } from '@hexachord/protocol/rest'
import { type Connection, noAnswer, pause } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { knownStatus } from './action-status.ts'
import { type Payer, payForAction } from './pay-for-action.ts'
import { NotRelayed, relayAction } from './relay-action.ts'
import { type NewAction, signNewAction } from './sign-action.ts'

/** Between two questions about an action that waits: the chain makes a block each second or slower. */
const pollMs = 300
/** An action of which nobody has heard for so long is sent again: its relay may be gone for good. */
const unknownMs = 20_000
/** Nodes that are away are not waited for long by someone who would rather pay. */
const patienceBeforePayingMs = 5_000
const appliedWithinMs = 120_000
/** Ethereum makes blocks final after a quarter of an hour. */
const finalWithinMs = 45 * 60_000

type Options = {
  readonly signal?: AbortSignal | undefined
  /** Pays when no creator node does. */
  readonly payer?: Payer | undefined
}

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
 * @returns the action's hash: its name from now on
 * @throws ActionError, NotRelayed, ApiError */
export async function writeAction(
  connection: Connection,
  account: Account,
  action: NewAction,
  options: Options = {},
): Promise<Hash> {
  const { signed } = await signNewAction(connection, account, action)
  return sendAction(connection, account, signed, options)
}

/** Hands a signed action to a creator node or, where none takes it, to the payer. */
async function sendAction(
  connection: Connection,
  account: Account,
  signed: SignedAction,
  { signal, payer }: Options,
): Promise<Hash> {
  try {
    return await relayAction(connection, account, signed, {
      signal,
      ...(payer ? { patienceMs: patienceBeforePayingMs } : {}),
    })
  } catch (error) {
    if (!payer || !(error instanceof NotRelayed)) throw error
    return payForAction(connection, signed, payer)
  }
}

export type WaitOptions = {
  readonly signal?: AbortSignal | undefined
  /** `applied`: it can be found. `final`: besides, no reorganisation of the chain can take it back; one that drops it
   * before is waited out. @default 'applied' */
  readonly until?: 'applied' | 'final' | undefined
  /** @default two minutes, or 45 minutes until it is final */
  readonly timeoutMs?: number | undefined
  readonly onStatus?: ((status: ActionStatus) => void) | undefined
  /** Called when nobody has heard of the action for a while. */
  readonly resend?: (() => Promise<unknown>) | undefined
}

/** Sends a signed action and waits until the network has judged it. Sent again where it was lost. The same action may
 * be settled any number of times, also after a restart of the client: it happens once.
 * @throws ActionRejected, NotRelayed, ApiError, and the signal's reason */
export async function settleAction(
  connection: Connection,
  account: Account,
  signed: SignedAction,
  options: Options &
    Omit<WaitOptions, 'resend'> & { readonly onSent?: ((hash: Hash) => void) | undefined } = {},
): Promise<ActionOutcome> {
  const { hash } = openAction(signed, connection.domain)
  const send = () => sendAction(connection, account, signed, options)
  await send()
  options.onSent?.(hash)
  return waitForAction(connection, hash, { ...options, resend: send })
}

/** Waits until discovery has judged an action: what was written can be read from then on.
 * @throws ActionRejected, ApiError when it takes too long, and the signal's reason */
export async function waitForAction(
  connection: Connection,
  hash: Hash,
  {
    signal,
    until = 'applied',
    timeoutMs = until === 'final' ? finalWithinMs : appliedWithinMs,
    onStatus,
    resend,
  }: WaitOptions = {},
): Promise<ActionOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout
  let heardAt = performance.now()
  try {
    for (;;) {
      const known = await knownStatus(connection, hash, either)
      if (known) heardAt = performance.now()
      const status = known ?? { hash, status: 'pending' }
      onStatus?.(status)
      if (status.status === 'applied' && (until === 'applied' || status.final)) return { hash, status }
      if (status.status === 'rejected') throw new ActionRejected(status)
      if (resend && performance.now() - heardAt > unknownMs) {
        await resend()
        heardAt = performance.now()
      }
      await pause(pollMs, either)
    }
  } catch (error) {
    if (!timeout.aborted || signal?.aborted || error instanceof ActionRejected) throw error
    const wanted = until === 'final' ? 'final' : 'indexed'
    throw noAnswer(
      '',
      `action ${hash} is not ${wanted} after ${timeoutMs / 1000} s; it may still come`,
      error,
    )
  }
}
