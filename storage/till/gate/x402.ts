import { type Payment, type PaymentsNetwork, paymentSchema } from '@hexachord/protocol/payments'
import * as z from 'zod'
import { caip2, paymentHeader, readPaymentHeader } from '../payment-headers.ts'

/**
 * Headers of x402 version 2 (https://github.com/coinbase/x402, `specs/transports-v2/http.md`), each base64 of JSON, with a
 * scheme of our own: a session, and a voucher for all that was heard in its channel.
 */
export const scheme = 'stream-voucher'

/** A network's payments, with the token that they are made in. */
export type TokenNetwork = PaymentsNetwork & { readonly payments: { readonly token: string } }

const signatureSchema = z.object({
  x402Version: z.literal(2),
  accepted: z.object({ scheme: z.literal(scheme), network: z.string() }),
  payload: paymentSchema,
})

/** As long as 64 lines make it, and as Node lets headers be. */
const longestHeader = 16_000

/** What a `PAYMENT-SIGNATURE` header pays with. @throws Problem 400 */
export function readPaymentSignature(header: string, network: string): Payment {
  return readPaymentHeader(header, signatureSchema, { network, longest: longestHeader }).payload
}

/** What a 402 tells in `PAYMENT-REQUIRED`. */
export type Requirements = {
  readonly error: string
  readonly url: string
  /** In base units of the token. */
  readonly amount: bigint
  readonly extra: Readonly<Record<string, unknown>>
}

export function paymentRequired(
  { chainId, payments }: TokenNetwork,
  payTo: string,
  { error, url, amount, extra }: Requirements,
): string {
  return paymentHeader({
    x402Version: 2,
    error,
    resource: { url, description: 'six seconds of music', mimeType: 'audio/mp4' },
    accepts: [
      {
        scheme,
        network: caip2(chainId),
        amount: String(amount),
        asset: payments.token,
        payTo,
        maxTimeoutSeconds: 60,
        extra: { ...extra, escrow: payments.streamEscrow, trackRegistry: payments.trackRegistry },
      },
    ],
    extensions: {},
  })
}

export function paymentResponse(response: {
  network: string
  payer: string
  amount: bigint
  extra: Readonly<Record<string, string>>
}): string {
  // Nothing is on the chain yet: what was paid is redeemed later, with much else.
  return paymentHeader({ success: true, transaction: '', ...response, amount: String(response.amount) })
}
