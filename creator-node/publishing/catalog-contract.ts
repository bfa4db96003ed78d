import { catalogAbi } from '@hexachord/contracts/generated'
import type { ChainReader } from '@hexachord/platform/chain'
import type { SignedAction } from '@hexachord/protocol/actions'
import { type Address, subjectToBytes32 } from '@hexachord/protocol/names'
import { hexlify, Interface } from 'ethers'

/** Functions and errors of the Catalog contract. */
export const catalogInterface = new Interface(catalogAbi)

/** Data of the transaction that puts an action onto the chain. */
export function actCall(signed: SignedAction): string {
  return catalogInterface.encodeFunctionData('act', [
    signed.author,
    BigInt(signed.nonce),
    signed.kind,
    subjectToBytes32(signed.subject),
    hexlify(new TextEncoder().encode(signed.content)),
    BigInt(signed.deadline),
    signed.signature,
  ])
}

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
