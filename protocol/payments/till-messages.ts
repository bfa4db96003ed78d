import * as z from 'zod'
import { addressSchema, subjectSchema } from '../names/index.ts'
import { largestAmount } from './terms.ts'

/**
 * What listeners and tills say to each other. Bodies of requests are JSON sent as `text/plain`, which browsers send to
 * another origin without asking first (Fetch, section 3.2.2). Amounts are decimal strings in base units of the payment
 * token; times of expiry are ms since 1970, but for the deadline of a reserve, which is in unix seconds as contracts count.
 */

/** Longest life of a session: an hour, after which the listener opens another. */
export const sessionMs = 3_600_000
/** How far ahead the expiry of an opening may lie; it is used at once. */
export const openingMs = 60_000
/** Units that a till serves on a signed reserve before the chain has it. */
export const unitsBeforeMined = 10
/** How often a paid unit may be fetched again. */
export const repeatsOfUnit = 2
/** Lines of a voucher. Before one needs more, its till asks for a new base. */
export const mostLines = 64

const amountSchema = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,28})$/, 'must be a whole number as a decimal string')
  .transform(BigInt)
  .refine((amount) => amount <= largestAmount, `must be at most ${largestAmount}`)
const signatureSchema = z.string().regex(/^0x[0-9a-fA-F]{130}$/, 'must be 0x and 65 bytes in hex')
// Lengths are bounds of patterns: zod asks for the `length` of whatever it is given, and one that is an object makes it
// throw what is no refusal (`$ZodCheckMaxLength` of 4.6).
const linesSchema = z
  .string()
  .regex(
    new RegExp(`^0x([0-9a-f]{128}){0,${mostLines}}$`),
    `must be 0x and 64 bytes a line in lower-case hex, at most ${mostLines} lines`,
  )
const tokenSchema = z.string().regex(/^[\w-]{1,100}$/, 'must be 1 to 100 of letters, digits, - and _')
const timeSchema = z.int().positive()

/** `GET /pay/offer`: who is paid here and on which conditions, signed by the operator's hot key (`TillOffer`). */
export const tillOfferSchema = z.strictObject({
  operator: addressSchema,
  /** Origin at which the operator is registered. In ASCII, as origins are: half a surrogate pair cannot be signed. */
  endpoint: z.string().regex(/^[!-~]{1,300}$/, 'must be an origin'),
  escrow: addressSchema,
  chainId: z.int().positive(),
  /** Tracks that give a node less are not served here. */
  leastNodeBps: z.int().min(0).max(10_000),
  /** Units of a paid track that are served without payment, from its beginning. */
  previewUnits: z.int().min(0).max(100),
  expiresAt: timeSchema,
  signature: signatureSchema,
})

/** Somebody who can sign vouchers wants to hear a track (`Opening`). */
export const openingSchema = z.strictObject({
  payer: addressSchema,
  node: addressSchema,
  subject: subjectSchema,
  /** Whose playlist led there; the zero address for nobody's. */
  curator: addressSchema,
  expiresAt: timeSchema,
  /** By the payer, or by a session key of its: its signer is the key of the channel. */
  signature: signatureSchema,
})

/** A voucher as it is sent; see `Voucher`. Its node is whom it is sent to. */
export const sentVoucherSchema = z.strictObject({
  payer: addressSchema,
  base: amountSchema,
  cumulative: amountSchema,
  lines: linesSchema,
  signature: signatureSchema,
})

/** Body of `POST /pay/sessions`: an opening, and where its sender knows how the channel stands, a voucher that pays for
 * what is asked for first. The session opens also where the voucher is refused: the report tells which was the last. */
export const sentOpeningSchema = openingSchema.extend({ voucher: sentVoucherSchema.optional() })

/** Body of `POST /pay/vouchers`, and the payload of our scheme in a `PAYMENT-SIGNATURE` header. */
export const paymentSchema = z.strictObject({ session: tokenSchema, voucher: sentVoucherSchema })

/** Body of `POST /pay/reserves`: a `Reserve` that the till shall bring to the chain. */
export const sentReserveSchema = z.strictObject({
  session: tokenSchema,
  payer: addressSchema,
  total: amountSchema,
  /** Unix seconds. */
  deadline: z.int().positive(),
  signature: signatureSchema,
})

/** What a till knows of a channel. Whoever lost its own record goes on from here, after having seen that it signed it. */
export const channelReportSchema = z.strictObject({
  payer: addressSchema,
  key: addressSchema,
  node: addressSchema,
  /** On the chain, as far as the till has read it: reserved since the beginning, and what was released of that. */
  reserved: amountSchema,
  released: amountSchema,
  /** What of a signed reserve counts before the chain has it; zero if nothing. */
  awaited: amountSchema,
  /** Where the next voucher begins: all before was frozen to be redeemed, or was. */
  base: amountSchema,
  /** The last voucher, with which its signer can see that base and total are its own; null where there is none. */
  last: sentVoucherSchema.nullable(),
  /** The voucher that ends at `base`, until the chain has it; null where there is none. */
  frozen: sentVoucherSchema.nullable(),
})

/** Answer to the opening of a session, to `GET /pay/sessions/:session`, and to vouchers and reserves. */
export const sessionReportSchema = z.strictObject({
  session: z.string(),
  expiresAt: timeSchema,
  subject: subjectSchema,
  manifest: z.string(),
  curator: addressSchema,
  /** Price of a unit as of now. */
  unitPrice: amountSchema,
  units: z.int().nonnegative(),
  /** Units that were paid in this session, ascending. */
  paidUnits: z.array(z.int().nonnegative()),
  /** What of the track's line is not spent yet. */
  credit: amountSchema,
  channel: channelReportSchema,
})

export type TillOffer = z.output<typeof tillOfferSchema>
export type Opening = z.output<typeof openingSchema>
export type SentOpening = z.output<typeof sentOpeningSchema>
export type SentVoucher = z.output<typeof sentVoucherSchema>
export type Payment = z.output<typeof paymentSchema>
export type SentReserve = z.output<typeof sentReserveSchema>
export type ChannelReport = z.output<typeof channelReportSchema>
export type SessionReport = z.output<typeof sessionReportSchema>

/** JSON of one of these messages. */
export function tillJson(message: unknown): string {
  return JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
}
