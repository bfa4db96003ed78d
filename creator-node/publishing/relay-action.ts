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
import type { Address, Hash } from '@hexachord/protocol/names'
import type { Transaction } from '@hexachord/protocol/rest'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { type Budgets, overspentProblem, type PublisherGate } from '../admission/index.ts'
import { gasOfAct, isNonceUsed } from './catalog-contract.ts'
import { previewAction, problemOfVerdict } from './preview-action.ts'

export type RelayOptions = {
  catalogue: Catalogue
  reader: Pick<ChainReader, 'call'>
  sender: Pick<Sender, 'enqueue' | 'status' | 'retry'>
  gate: PublisherGate
  budgets: Budgets
  /** ms since 1970. */
  now: () => number
}

/** How long the index has to catch up with the head, and the chain to answer, before an action is judged by them. */
const catchUpMs = 5_000

/**
 * Takes a signed action to the chain: checks at once what would have it rejected there or by every indexer, then puts
 * it into the outbox, which keeps it until it is final. The same action may be given any number of times.
 * @param account who asks for it, and whose budget pays
 * @returns the action's hash
 * @throws Problem 400, 403, 409, 422, 429 or 503
 */
export async function relayAction(
  signed: SignedAction,
  account: Address,
  options: RelayOptions,
): Promise<Hash> {
  const { catalogue, sender, budgets, now } = options
  const action = open(signed, catalogue)
  if (isKnown(action.hash, options)) return action.hash
  const transaction = transactionOf(signed, catalogue)
  if (!options.gate.mayPublish(account, action.author)) throw options.gate.refusal(account, { transaction })
  if (signed.deadline * 1000 <= now()) {
    throw new Problem({
      status: 400,
      slug: 'deadline-past',
      detail: 'the action has expired: sign a new one',
    })
  }
  await checkAgainstChain(action, options)
  const refusal = followsPending(action, options) ? undefined : previewAction(catalogue, action, now())
  const problem = refusal && problemOfVerdict(refusal)
  if (problem) throw problem
  // Another request may have brought the same action while this one waited for the chain.
  if (isKnown(action.hash, options)) return action.hash
  const overspent = budgets.spend(account, { actions: 1, gas: gasOfAct(transaction.data) })
  if (overspent) throw overspentProblem(overspent, { transaction })
  sender.enqueue({ id: action.hash, to: transaction.to, data: transaction.data })
  return action.hash
}

/** With what anybody puts the action onto the chain, this node or its author. */
function transactionOf(signed: SignedAction, { rules }: Catalogue): Transaction {
  return {
    chainId: rules.domain.chainId,
    to: rules.catalog,
    function: 'act',
    data: actData(signed),
  }
}

function open(signed: SignedAction, { rules }: Catalogue): Action {
  try {
    return openAction(signed, rules.domain)
  } catch (cause) {
    if (!(cause instanceof ActionError)) throw cause
    throw new Problem({ status: 400, slug: 'invalid-action', detail: cause.message, cause })
  }
}

/** On the chain or on its way there. One that failed before it was mined is tried once more. */
function isKnown(hash: Hash, { catalogue, sender }: RelayOptions): boolean {
  if (catalogue.action(hash) !== undefined) return true
  const status = sender.status(hash)
  return status !== null && (status.state !== 'failed' || sender.retry(hash))
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function checkAgainstChain(action: Action, { catalogue, reader }: RelayOptions): Promise<void> {
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

/** Whether the action builds on one that this node has sent and that is not indexed yet: its order is the author's
 * business, and it cannot be judged before the other. */
function followsPending(action: Action, { catalogue, sender }: RelayOptions): boolean {
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
