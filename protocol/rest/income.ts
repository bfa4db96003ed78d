import * as z from 'zod'
import { addressSchema, subjectSchema } from '../names/index.ts'

/** A whole number of any size, in decimal digits. */
const wholeSchema = z.string().regex(/^(0|[1-9][0-9]*)$/)

/** What amounts are in: base units of this token, `decimals` of which digits people write behind the point. */
export const currencySchema = z.object({ token: addressSchema, decimals: z.int().min(0).max(255) })
export type Currency = z.infer<typeof currencySchema>

/** Terms of a track by their number, as its rights holder set them in TrackRegistry. */
export const trackTermsSchema = z.object({
  version: z.int().positive(),
  /** For a unit of 6,000 ms, in base units. */
  unitPrice: wholeSchema,
  nodeBps: z.int(),
  curatorBps: z.int(),
  /** Who share what node and curator leave; shares together 10,000. */
  payees: z.array(z.object({ account: addressSchema, bps: z.int() })),
  effectiveAtMs: z.int(),
})
export type TrackTerms = z.infer<typeof trackTermsSchema>

/** What a track costs now, and whom it pays: member `terms` of `GET /v1/tracks/:id`. */
export const termsInForceSchema = trackTermsSchema.extend({
  owner: addressSchema,
  currency: currencySchema,
  /** Terms that wait for their time. */
  change: trackTermsSchema.nullable(),
  /** What redeemed vouchers have paid for, in units of 6,000 ms. It says nothing of how often a track is heard: whoever
   * pays itself pays nothing. */
  paidUnits: wholeSchema,
})
export type TermsInForce = z.infer<typeof termsInForceSchema>

/** `GET /v1/tracks/:id/terms`: all terms that ever were set, the newest first. */
export const termsHistorySchema = z.object({
  owner: addressSchema,
  currency: currencySchema,
  /** Up to which block this tells. */
  indexed: z.int(),
  items: z.array(
    trackTermsSchema.extend({
      /** Replaced or cancelled before they came into force. */
      dropped: z.boolean(),
      /** What was paid while they were in force, and the track's part of it: node and curator had theirs. */
      paidUnits: wholeSchema,
      paid: wholeSchema,
      earned: wholeSchema,
      /** How much of `earned` was split among the payees. */
      distributed: wholeSchema,
    }),
  ),
  next: z.string().nullable(),
})
export type TermsHistory = z.infer<typeof termsHistorySchema>

/** What an account earned by a track on a day. */
export const incomeEntrySchema = z.object({
  /** UTC, by the time of the block in which vouchers were redeemed or earnings distributed. */
  day: z.iso.date(),
  track: subjectSchema,
  /** Number of the track's terms by which it was split. */
  version: z.int().positive(),
  /** Whose the track was. */
  owner: addressSchema,
  account: addressSchema,
  /** As one of the track's payees, or as curator of a playlist that led there. */
  share: z.enum(['payee', 'curator']),
  /** That were paid for, of 6,000 ms each, at the price in force when the voucher was redeemed. */
  units: wholeSchema,
  /** The account's share. The first payee has what rounding leaves, which may be some units less than nothing on a day. */
  earned: z.string().regex(/^(0|-?[1-9][0-9]*)$/),
  /** What of it, or of earlier days, was credited: payees by `distribute`, curators at once. */
  distributed: wholeSchema,
})
export type IncomeEntry = z.infer<typeof incomeEntrySchema>

/** `GET /v1/users/:id/income`, newest day first. */
export const incomeSchema = z.object({
  /** Null where nothing is paid for. */
  currency: currencySchema.nullable(),
  /** Up to which block this tells. */
  indexed: z.int(),
  items: z.array(incomeEntrySchema),
  next: z.string().nullable(),
})
export type Income = z.infer<typeof incomeSchema>

/** `GET /v1/operators/:id/income`, newest day first. */
export const operatorIncomeSchema = incomeSchema.extend({
  items: z.array(
    z.object({
      day: z.iso.date(),
      units: wholeSchema,
      /** Of track time that was paid for: units of 6,000 ms. */
      listenerHours: z.number(),
      /** What listeners paid, and the node's share of it. */
      paid: wholeSchema,
      earned: wholeSchema,
    }),
  ),
})
export type OperatorIncome = z.infer<typeof operatorIncomeSchema>
