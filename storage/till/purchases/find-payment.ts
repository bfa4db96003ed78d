import { localDollarAbi } from '@hexachord/contracts/generated'
import type { ChainLog, ChainReader } from '@hexachord/platform/chain'
import { Interface, type InterfaceAbi, toBeHex } from 'ethers'
import type { Authorization } from './exact-payment.ts'

/** What ERC-20 and ERC-3009 name, as every dollar has it. */
const token = new Interface(localDollarAbi as InterfaceAbi)

/** In one request for logs: less than what nodes of chains refuse, and minutes on a chain of quick blocks. */
const blocksAtOnce = 500

/** A transfer that stands on the chain, whoever sent it. */
export type FoundPayment = { readonly transaction: string; readonly blockNumber: number }

/**
 * Finds the transfer of an authorization that somebody else has sent: anybody may who sees it. A nonce says nothing by
 * itself, since its buyer can sign it over something else, too: it counts where the very next log of the token is the
 * transfer that was asked for, so that one transfer is the payment of one nonce.
 * @param options.to who is paid
 * @param options.sinceSeconds unix; what was mined before paid for something else
 * @returns undefined where it is unused, or was used otherwise
 * @throws what the reader throws
 */
export async function findPayment(
  chain: Pick<ChainReader, 'call' | 'head' | 'block' | 'logs'>,
  { from, nonce, value, to }: Authorization,
  { asset, sinceSeconds }: { readonly asset: string; readonly sinceSeconds: bigint },
): Promise<FoundPayment | undefined> {
  if (!(await isUsed(chain, asset, from, nonce))) return undefined
  const address = asset.toLowerCase()
  const used = token.encodeFilterTopics('AuthorizationUsed', [from, nonce]).map(String)
  const paid = token.encodeFilterTopics('Transfer', [from, to]).map(String)
  const narrowed = [used, paid].map((topics) => ({ address, topics }))
  const amount = toBeHex(value, 32)
  let toBlock = (await chain.head()).number
  for (;;) {
    const fromBlock = Math.max(0, toBlock - blocksAtOnce + 1)
    const logs = await chain.logs({ addresses: [], narrowed, fromBlock, toBlock })
    const use = logs.find(({ topics }) => topics[0] === used[0])
    const first = await chain.block(use?.blockNumber ?? fromBlock)
    const isEarly = first === null || BigInt(first.timestamp) < sinceSeconds
    if (use !== undefined) {
      const next = logs.find((log) => isNext(log, use))
      const isPayment = next?.topics[0] === paid[0] && next?.data === amount
      const { transactionHash: transaction, blockNumber } = use
      return isPayment && !isEarly ? { transaction, blockNumber } : undefined
    }
    if (isEarly || fromBlock === 0) return undefined
    toBlock = fromBlock - 1
  }
}

async function isUsed(
  chain: Pick<ChainReader, 'call'>,
  asset: string,
  from: string,
  nonce: string,
): Promise<boolean> {
  const data = token.encodeFunctionData('authorizationState', [from, nonce])
  const answer = await chain.call({ to: asset, data })
  return Boolean(token.decodeFunctionResult('authorizationState', answer)[0])
}

function isNext(log: ChainLog, before: ChainLog): boolean {
  return (
    log.blockHash === before.blockHash &&
    log.transactionHash === before.transactionHash &&
    log.logIndex === before.logIndex + 1
  )
}
