import type { Interface } from 'ethers'
import { bigintField, hexField, MalformedAnswer, numberField, objectField } from './chain-values.ts'
import { isRevert, revertReason } from './revert-reason.ts'
import { type Rpc, RpcError } from './rpc.ts'

/** How a transaction was mined. */
export type MinedTransaction = { hash: string; blockNumber: number; blockHash: string; succeeded: boolean }

/** Per hash: how it was mined, or null when it is not on the chain now. */
export async function minedTransactions(
  rpc: Rpc,
  hashes: readonly string[],
): Promise<(MinedTransaction | null)[]> {
  const answers = await rpc.batch(
    hashes.map((hash) => ({ method: 'eth_getTransactionReceipt', params: [hash] })),
  )
  return answers.map((answer) => {
    if (answer === null || answer === undefined) return null
    const receipt = objectField(answer, 'receipt')
    return {
      hash: hexField(receipt.transactionHash, 'receipt.transactionHash'),
      blockNumber: numberField(receipt.blockNumber, 'receipt.blockNumber'),
      blockHash: hexField(receipt.blockHash, 'receipt.blockHash'),
      succeeded: numberField(receipt.status, 'receipt.status') === 1,
    }
  })
}

/** What a mined transaction has cost, in wei. @throws MalformedAnswer where it is not mined */
export async function costOfTransaction(rpc: Pick<Rpc, 'call'>, hash: string): Promise<bigint> {
  const answer = await rpc.call('eth_getTransactionReceipt', [hash])
  if (answer === null) throw new MalformedAnswer(`transaction ${hash} is not on the chain`)
  const { gasUsed, effectiveGasPrice } = objectField(answer, 'receipt')
  return bigintField(gasUsed, 'receipt.gasUsed') * bigintField(effectiveGasPrice, 'receipt.effectiveGasPrice')
}

export type CallRequest = { from: string; to: string; data: string }

/** Why the contract would refuse this call at a block, or null when it would not. */
export async function refusal(
  rpc: Pick<Rpc, 'call'>,
  call: CallRequest,
  block: string,
  interfaces: readonly Interface[],
): Promise<string | null> {
  try {
    await rpc.call('eth_call', [call, block])
    return null
  } catch (error) {
    if (isRevert(error)) return revertReason(error, interfaces)
    throw error
  }
}

/** Why a mined transaction reverted, as far as the node can still tell. */
export async function reasonOfRevert(
  rpc: Rpc,
  call: CallRequest,
  block: string,
  interfaces: readonly Interface[],
): Promise<string> {
  try {
    return (await refusal(rpc, call, block, interfaces)) ?? 'reverted when it was mined, perhaps out of gas'
  } catch (error) {
    // A pruned node has no state to replay on; that it reverted is known all the same.
    if (error instanceof RpcError) return `reverted when it was mined (${error.message})`
    throw error
  }
}
