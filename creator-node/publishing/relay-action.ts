import type { Sender } from '@hexachord/platform/chain'
import { Problem } from '@hexachord/platform/http'
import type { SignedAction } from '@hexachord/protocol/actions'
import type { Address, Hash } from '@hexachord/protocol/names'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { type Budgets, overspentProblem, type PublisherGate } from '../admission/index.ts'
import { gasOfAct } from './catalog-contract.ts'
import { checkAgainstChain, type JudgeOptions, openSigned, refusalAt, transactionOf } from './judge-action.ts'

export type RelayOptions = JudgeOptions & {
  sender: Pick<Sender, 'enqueue' | 'status' | 'retry'>
  gate: PublisherGate
  budgets: Budgets
  /** ms since 1970. */
  now: () => number
}

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
  const action = openSigned(signed, catalogue)
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
  const refusal = refusalAt(now(), action, options)
  if (refusal) throw refusal
  // Another request may have brought the same action while this one waited for the chain.
  if (isKnown(action.hash, options)) return action.hash
  const overspent = budgets.spend(account, { actions: 1, gas: gasOfAct(transaction.data) })
  if (overspent) throw overspentProblem(overspent, { transaction })
  sender.enqueue({ id: action.hash, to: transaction.to, data: transaction.data })
  return action.hash
}

/** On the chain or on its way there. One that failed before it was mined is tried once more. */
export function isKnown(hash: Hash, options: Pick<RelayOptions, 'catalogue' | 'sender'>): boolean {
  const failed = options.sender.status(hash)?.state === 'failed'
  if (!failed || options.catalogue.action(hash) !== undefined) return wasSent(hash, options)
  return options.sender.retry(hash)
}

/** Whether the action is on the chain, or this node has ever sent it. */
export function wasSent(
  hash: Hash,
  { catalogue, sender }: { catalogue: Pick<Catalogue, 'action'>; sender: Pick<Sender, 'status'> },
): boolean {
  return catalogue.action(hash) !== undefined || sender.status(hash) !== null
}
