import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import { addressSchema, hashSchema, numberOf, userNumber } from '../names/index.ts'
import { acceptedOperators } from '../placement/index.ts'
import { neededCopies, type Receipt, receiptSigner } from '../receipts/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, type RuleInput, reject, type Verdict } from './rule.ts'
import { lineText, longText } from './text.ts'

export const trackContentSchema = z.strictObject({
  prev: hashSchema.nullable(),
  manifest: cidSchema,
  storageRoot: hashSchema,
  leafCount: z.int().positive(),
  byteLength: z.int().positive(),
  durationMs: z.int().positive(),
  /** What operators signed about just these blocks; may be empty when an update keeps the manifest. */
  receipts: z
    .array(
      z.strictObject({
        operator: addressSchema,
        blockNumber: z.int().nonnegative(),
        validUntil: z.int().positive(),
        signature: z.string().regex(/^0x[0-9a-f]{130}$/, 'must be 65 bytes in lower-case hex'),
      }),
    )
    .max(6),
  title: lineText(200),
  artist: lineText(200),
  album: lineText(200).optional(),
  genre: lineText(60).optional(),
  mood: lineText(60).optional(),
  tags: z.array(lineText(30)).max(10).optional(),
  description: longText(2000).optional(),
  isrc: z
    .string()
    .regex(/^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$/, 'must be an ISRC without hyphens')
    .optional(),
  /** An SPDX identifier such as `CC-BY-4.0`, or `all-rights-reserved`. */
  licence: z.string().regex(/^[A-Za-z0-9.+-]{1,60}$/, 'must be an SPDX licence identifier'),
  /** "I hold the rights to publish this recording." */
  rightsHeld: z.literal(true),
  /** Left out of lists and search; not secret. */
  unlisted: z.boolean().optional(),
})
export type TrackContent = z.infer<typeof trackContentSchema>

/** What an action says of the audio. Without receipts all of it stays as it was. */
const audioFields = ['manifest', 'storageRoot', 'leafCount', 'byteLength', 'durationMs'] as const

/** Publishes a track, or replaces what was published under its number. New audio is accepted only with
 * receipts of the operators that are to hold it, so that nobody owes storage for a claim. */
export const trackKind: Kind<TrackContent> = {
  number: 2,
  schema: trackContentSchema,
  reads: () => [],
  rule(input) {
    const { action, before, content } = input
    if (numberOf(action.subject) === userNumber || (before && before.kind !== 'track')) {
      return reject('wrongSubject', 'this number is not free for a track')
    }
    const hasSameAudio =
      before !== undefined && audioFields.every((name) => before.body[name] === content[name])
    if (!hasSameAudio || content.receipts.length > 0) {
      const refusal = checkReceipts(input)
      if (refusal) return refusal
    }
    const { prev: _, receipts, ...body } = content
    const operators =
      receipts.length > 0 ? receipts.map((receipt) => receipt.operator) : before?.body.operators
    return { verdict: 'applied', changes: [changeSubject(input, 'track', { ...body, operators })] }
  },
}

function checkReceipts({ view, action, content, place }: RuleInput<TrackContent>): Verdict | undefined {
  const { operators, copies } = acceptedOperators(
    action.subject,
    place.block,
    view.placement,
    view.operatorsAt,
  )
  const controllers = new Set<string>()
  for (const short of content.receipts) {
    const operator = operators.find((accepted) => accepted.operator === short.operator)
    if (!operator) {
      return reject('invalidReceipt', `${short.operator} is not among the operators for this track`)
    }
    if (controllers.has(operator.controller)) {
      return reject(
        'invalidReceipt',
        `${short.operator} gave, or shares its controller with, another receipt`,
      )
    }
    if (short.validUntil <= place.timestamp || short.blockNumber > place.block) {
      return reject('invalidReceipt', `the receipt of ${short.operator} is not valid at this block`)
    }
    const receipt: Receipt = {
      ...short,
      subject: action.subject,
      manifest: content.manifest,
      storageRoot: content.storageRoot,
      leafCount: content.leafCount,
      byteLength: content.byteLength,
    }
    const signer = receiptSigner(receipt, view.domain)
    // The key may have been rotated since the epoch began: what counts is the key in force now.
    const hotKey = view.operatorsAt(place.block - 1).get(short.operator)?.hotKey
    if (signer === undefined || (signer !== hotKey && signer !== operator.hotKey)) {
      return reject('invalidReceipt', `the receipt of ${short.operator} was not signed by its hot key`)
    }
    controllers.add(operator.controller)
  }
  const needed = Math.min(neededCopies, copies)
  if (copies === 0) return reject('missingReceipts', 'no operator is active: nobody can hold the track')
  if (controllers.size < needed) {
    return reject('missingReceipts', `${controllers.size} receipts, ${needed} are needed`)
  }
  return undefined
}
