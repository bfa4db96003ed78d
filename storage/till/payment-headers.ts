import { Problem, parse } from '@hexachord/platform/http'
import type { z } from 'zod'

/** What every scheme of x402 says of itself: which it is, and on which chain (CAIP-2). */
type Payment = { readonly accepted: { readonly network: string } }

/**
 * What a `PAYMENT-SIGNATURE` header pays with. Headers of x402 version 2 are base64 of JSON
 * (https://github.com/coinbase/x402, `specs/transports-v2/http.md`).
 * @param options.longest characters that it may have
 * @throws Problem 400
 */
export function readPaymentHeader<Schema extends z.ZodType<Payment>>(
  header: string,
  schema: Schema,
  { network, longest }: { network: string; longest: number },
): z.output<Schema> {
  if (header.length > longest) throw malformed(`it has more than ${longest} characters`)
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(header, 'base64').toString())
  } catch (cause) {
    throw malformed('it is not base64 of JSON', cause)
  }
  const payment = parse(schema, value)
  const paid = payment.accepted.network
  if (paid !== network) throw malformed(`it is for ${paid.slice(0, 60)}, not ${network}`)
  return payment
}

/** A header for the client. */
export function paymentHeader(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}

/** As x402 names chains (CAIP-2). */
export function caip2(chainId: number): string {
  return `eip155:${chainId}`
}

function malformed(detail: string, cause?: unknown): Problem {
  return new Problem({
    status: 400,
    slug: 'malformed-payment',
    title: 'Malformed payment',
    detail: `PAYMENT-SIGNATURE cannot be read: ${detail}`,
    cause,
  })
}
