import { isError, JsonRpcProvider, Wallet } from 'ethers'
import type { HeldKey } from '../keys/index.ts'
import type { Payer } from './pay-for-action.ts'

/** A transaction could not be sent; says what to do. */
export class PaymentFailed extends Error {
  override readonly name = 'PaymentFailed'
}

const answerWithinMs = 15_000

/** Pays by a key of ours, through a node of the chain. Anyone can see that this account paid for that action.
 * @param rpcUrl JSON-RPC of a node that takes transactions
 * @throws PaymentFailed, from `sendTransaction` */
export function rpcPayer({ privateKey }: Pick<HeldKey, 'privateKey'>, rpcUrl: string): Payer {
  return {
    async sendTransaction(transaction) {
      const network = transaction.chainId
      const wallet = new Wallet(privateKey)
      const provider = new JsonRpcProvider(rpcUrl, undefined, { batchMaxCount: 1 })
      provider._getConnection().timeout = answerWithinMs
      try {
        const chainId = Number(await withinTime(provider.send('eth_chainId', [])))
        if (chainId !== network) {
          throw new PaymentFailed(`${rpcUrl} is of chain ${chainId}, this network is on chain ${network}`)
        }
        return await wallet.connect(provider).sendTransaction(transaction)
      } catch (cause) {
        if (cause instanceof PaymentFailed) throw cause
        throw new PaymentFailed(reasonOf(cause, wallet.address, rpcUrl), { cause })
      } finally {
        provider.destroy()
      }
    },
  }
}

/** A provider that finds nobody asks again for ever. */
async function withinTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error('no answer')), answerWithinMs)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(cause: unknown, address: string, rpcUrl: string): string {
  if (isError(cause, 'INSUFFICIENT_FUNDS')) {
    return `${address} has too little of the chain's currency to pay for the transaction: send it some`
  }
  if (isError(cause, 'CALL_EXCEPTION')) return `the contract would refuse it: ${cause.shortMessage}`
  return `${rpcUrl} does not take the transaction: ${cause instanceof Error ? cause.message : String(cause)}`
}
