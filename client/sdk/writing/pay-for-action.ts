import { actData, openAction, type SignedAction } from '@hexachord/protocol/actions'
import type { Hash } from '@hexachord/protocol/names'
import type { Connection } from '../connect/index.ts'

/** Whoever sends a transaction and pays for it: a signer of ethers with a provider, such as that of an injected wallet
 * (EIP-1193): `await new BrowserProvider(window.ethereum).getSigner()`. */
export type Payer = {
  sendTransaction(transaction: {
    readonly to: string
    readonly data: string
    readonly chainId: number
  }): Promise<{ readonly hash: string }>
}

/** Puts a signed action onto the chain without any of our nodes: the Catalog takes it from anyone, and what counts is
 * who signed it. The transaction is made here, of the action alone.
 * @returns the action's hash; `waitForAction` says what becomes of it
 * @throws ActionError, and what the payer throws: no funds, the wrong chain, the user says no */
export async function payForAction(
  { domain }: Pick<Connection, 'domain'>,
  signed: SignedAction,
  payer: Payer,
): Promise<Hash> {
  const { hash } = openAction(signed, domain)
  await payer.sendTransaction({
    to: domain.verifyingContract,
    data: actData(signed),
    chainId: Number(domain.chainId),
  })
  return hash
}
