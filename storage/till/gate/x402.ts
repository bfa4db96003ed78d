import type { Address } from '@hexachord/protocol/names'
import { mostLines, type Payment, type PaymentsNetwork, paymentSchema } from '@hexachord/protocol/payments'
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
  return readAsWritten(header, network) ?? readHeader(header, network)
}

function readHeader(header: string, network: string): Payment {
  return readPaymentHeader(header, signatureSchema, { network, longest: longestHeader }).payload
}

/** The JSON of a header as `JSON.stringify` writes it, its amounts below 10^28, which is less than the largest. */
const written = new RegExp(
  [
    String.raw`^{"x402Version":2,"accepted":{"scheme":"${scheme}","network":"([\w:-]+)"},`,
    String.raw`"payload":{"session":"([\w-]{1,100})","voucher":{"payer":"(0x[0-9a-f]{40})",`,
    `"base":"(0|[1-9][0-9]{0,27})","cumulative":"(0|[1-9][0-9]{0,27})",`,
    `"lines":"(0x(?:[0-9a-f]{128}){0,${mostLines}})","signature":"(0x[0-9a-fA-F]{130})"}}}$`,
  ].join(''),
)

/** Reads the usual form in half of the time that JSON and its schema take; undefined for any other. */
function readAsWritten(header: string, network: string): Payment | undefined {
  if (header.length > longestHeader) return undefined
  const found = written.exec(Buffer.from(header, 'base64').toString())
  if (found === null || found[1] !== network) return undefined
  const [, , session = '', payer, base = '', cumulative = '', lines = '', signature = ''] = found
  const amounts = { base: BigInt(base), cumulative: BigInt(cumulative) }
  return { session, voucher: { payer: payer as Address, ...amounts, lines, signature } }
}

/** What a 402 tells in `PAYMENT-REQUIRED`. */
export type Requirements = {
  readonly error: string
  readonly url: string
  /** In base units of the token. */
  readonly amount: bigint
  readonly extra: Readonly<Record<string, unknown>>
  /** Where the whole track is sold for the scheme `exact`; undefined where it is not. */
  readonly wholeTrack: string | undefined
}

/** Name of the extension that leads clients who know only `exact` to the whole track: no scheme of a 402 may be for
 * another resource than its own, and a segment is not sold by that one. */
export const wholeTrackExtension = 'hexachord-whole-track'
const wholeTrackSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    url: { type: 'string', format: 'uri' },
    scheme: { const: 'exact' },
    network: { type: 'string' },
  },
  required: ['url', 'scheme', 'network'],
}

export function paymentRequired(
  { chainId, payments }: TokenNetwork,
  payTo: string,
  { error, url, amount, extra, wholeTrack }: Requirements,
): string {
  const whole = { url: wholeTrack, scheme: 'exact', network: caip2(chainId) }
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
    extensions:
      wholeTrack === undefined ? {} : { [wholeTrackExtension]: { info: whole, schema: wholeTrackSchema } },
  })
}

export function paymentResponse(response: {
  network: string
  payer: string
  amount: bigint
  extra: Readonly<Record<string, string>>
}): string {
  // Nothing is on the chain yet: what was paid is redeemed later, with much else.
  const { network, payer, amount, extra } = response
  return paymentHeader({ success: true, transaction: '', network, payer, amount: String(amount), extra })
}
