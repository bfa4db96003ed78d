import type { Address } from '../names/index.ts'
import type { Domain } from '../signing/index.ts'

/** Where a network's payments are, as its network file says. */
export type PaymentsNetwork = {
  readonly chainId: number
  readonly payments: { readonly streamEscrow: string; readonly trackRegistry: string }
}

/** EIP-712 domains of payments: vouchers, reserves and sessions are for the escrow, terms for the registry of tracks. */
export function paymentDomains({ chainId, payments }: PaymentsNetwork): { escrow: Domain; tracks: Domain } {
  const at = (address: string): Domain => ({
    name: 'Hexachord',
    version: '1',
    chainId,
    verifyingContract: address.toLowerCase() as Address,
  })
  return { escrow: at(payments.streamEscrow), tracks: at(payments.trackRegistry) }
}
