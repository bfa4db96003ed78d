import { type Address, subjectOf } from '@hexachord/protocol/names'
import { paymentDomains } from '@hexachord/protocol/payments'

const address = (digits: string): Address => `0x${digits.repeat(20)}`

export const paidNetwork = {
  chainId: 31_337,
  payments: { streamEscrow: address('e5'), trackRegistry: address('7e'), token: address('70') },
}
export const domain = paymentDomains(paidNetwork).escrow
export const node = address('0d')
export const origin = 'https://node.example'
/** The track that is heard; others of the artist have the numbers behind it. */
export const artist = address('a7')
export const subject = subjectOf(artist, 1n)
export const unitPrice = 134n
