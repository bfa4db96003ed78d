import {
  type ChainReader,
  MalformedAnswer,
  RpcError,
  RpcUnavailable,
  type Sender,
} from '@hexachord/platform/chain'
import { Problem } from '@hexachord/platform/http'
import { type Action, ActionError, actData, openAction, type SignedAction } from '@hexachord/protocol/actions'
import { CanonicalError, decodeCanonicalJson } from '@hexachord/protocol/canonical'
import type { Hash } from '@hexachord/protocol/names'
import type { Transaction } from '@hexachord/protocol/rest'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { isNonceUsed } from './catalog-contract.ts'
import { previewAction, problemOfVerdict } from './preview-action.ts'

export type JudgeOptions = {
  catalogue: Catalogue
  reader: Pick<ChainReader, 'call'>
  sender: Pick<Sender, 'status'>
}

/** How long the index has to catch up with the head, and the chain to answer, before an action is judged by them. */
const catchUpMs = 5_000

/** With what anybody puts the action onto the chain, this node or its author. */
export function transactionOf(signed: SignedAction, { rules }: Catalogue): Transaction {
  return {
    chainId: rules.domain.chainId,
    to: rules.catalog,
    function: 'act',
    data: actData(signed),
  }
}

/** @throws Problem 400 for one that is malformed */
export function openSigned(signed: SignedAction, { rules }: Catalogue): Action {
  try {
    return openAction(signed, rules.domain)
  } catch (cause) {
    if (!(cause instanceof ActionError)) throw cause
    throw new Problem({ status: 400, slug: 'invalid-action', detail: cause.message, cause })
  }
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Waits until this node has read the chain, and looks whether it takes the action.
 * @throws Problem 409 for a nonce that was used, 503 while the chain is away */
export async function checkAgainstChain(
  action: Action,
  { catalogue, reader }: Pick<JudgeOptions, 'catalogue' | 'reader'>,
): Promise<void> {
  const { catalog } = catalogue.rules
  try {
    const deadline = AbortSignal.timeout(catchUpMs)
    const { signer, nonce } = action
    const isUsed = catalogue.caughtUp(deadline).then(() => isNonceUsed(reader, { catalog, signer, nonce }))
    // A node of the chain from which nothing comes back at all would keep whoever asks for much longer.
    if (!(await Promise.race([isUsed, rejectedBy(deadline)]))) return
  } catch (cause) {
    const away =
      cause instanceof RpcError ||
      cause instanceof RpcUnavailable ||
      cause instanceof MalformedAnswer ||
      (cause instanceof DOMException && cause.name === 'TimeoutError')
    if (!away) throw cause
    throw new Problem({
      status: 503,
      slug: 'chain-away',
      title: 'Chain away',
      detail: 'the chain cannot be read just now: try again soon, or use another creator node',
      headers: { 'Retry-After': '5' },
      cause,
    })
  }
  throw new Problem({
    status: 409,
    slug: 'nonce-used',
    detail: `${action.signer} has used this nonce for another action: sign with a new one`,
  })
}

/** Why every indexer would refuse an action in a block of a time, in ms, as far as this node has read the chain. One that
 * builds on another which is on its way is not refused. */
export function refusalAt(atMs: number, action: Action, options: JudgeOptions): Problem | undefined {
  if (followsPending(action, options)) return undefined
  return problemOfVerdict(previewAction(options.catalogue, action, atMs))
}

/** Whether the action builds on one that this node has sent and that is not indexed yet: its order is the author's
 * business, and it cannot be judged before the other. */
function followsPending(action: Action, { catalogue, sender }: JudgeOptions): boolean {
  const prev = prevOf(action)
  if (prev === undefined || catalogue.action(prev) !== undefined) return false
  const status = sender.status(prev)
  return status !== null && status.state !== 'failed'
}

function prevOf({ content }: Action): Hash | undefined {
  try {
    const value = decodeCanonicalJson(content)
    const prev = typeof value === 'object' && value !== null && 'prev' in value ? value.prev : undefined
    return typeof prev === 'string' ? (prev as Hash) : undefined
  } catch (error) {
    if (error instanceof CanonicalError) return undefined
    throw error
  }
}
