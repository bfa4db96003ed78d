import { catalogAbi } from '@hexachord/contracts/generated'
import type { ChainReader } from '@hexachord/platform/chain'
import type { Address } from '@hexachord/protocol/names'
import { getBytes, Interface } from 'ethers'

/** Functions and errors of the Catalog contract. */
export const catalogInterface = new Interface(catalogAbi)

/**
 * Gas that a call of `act` takes at most, on a chain with the rules of Ethereum: EIP-2028's price of its bytes and what
 * the contract does, or EIP-7623's floor for them. The day's budget is counted by it, since what a transaction has
 * really taken is known only when nothing can be refused any more.
 * @param data in hex
 */
export function gasOfAct(data: string): number {
  const bytes = getBytes(data)
  const zeros = bytes.filter((byte) => byte === 0).length
  const tokens = zeros + 4 * (bytes.length - zeros)
  const used = transactionGas + 4 * tokens + gasPerLoggedByte * bytes.length + executionGas
  return Math.max(used, transactionGas + 10 * tokens)
}

const transactionGas = 21_000
/** LOG charges 8 for each byte; hashing, copying and memory add to it. */
const gasPerLoggedByte = 10
/** A signature recovered, the first nonce of a word written, an event with three topics. */
const executionGas = 40_000

/** Whether the chain has seen an action of this signer with this nonce. @throws what the chain's node gives */
export async function isNonceUsed(
  reader: Pick<ChainReader, 'call'>,
  { catalog, signer, nonce }: { catalog: Address; signer: Address; nonce: bigint },
): Promise<boolean> {
  const data = catalogInterface.encodeFunctionData('isNonceUsed', [signer, nonce])
  const [used] = catalogInterface.decodeFunctionResult(
    'isNonceUsed',
    await reader.call({ to: catalog, data }),
  )
  return used === true
}
