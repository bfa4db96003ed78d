import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import {
  addressSchema,
  authorOf,
  hashSchema,
  numberOf,
  type Subject,
  subjectSchema,
  userNumber,
} from '../names/index.ts'
import { acceptedOperators } from '../placement/index.ts'
import { neededCopies, type Receipt, receiptSigner } from '../receipts/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, livingSubject, type RuleInput, reject, subjectKey, type Verdict } from './rule.ts'
import { lineText, longText } from './text.ts'

/** The end of the year 9999, which every calendar can name. */
const lastMs = 253_402_300_799_999

const firstContentSchema = z.strictObject({
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

export const trackContentSchema = firstContentSchema.extend({
  /** Kept out of lists, search and feeds until the chain's clock or the reader's passes this time. The action itself
   * stands on the chain before, for all to see. */
  releaseAtMs: z.int().positive().max(lastMs).optional(),
  /** What it is made of, each with the words by which that is credited, which outlive it. */
  remixOf: z
    .array(z.strictObject({ track: subjectSchema, credit: lineText(200) }))
    .min(1)
    .max(5)
    .refine(
      (origins) => new Set(origins.map(({ track }) => track)).size === origins.length,
      'must name each track once',
    )
    .optional(),
  /** The track of which this is one part, such as its drums. */
  stemOf: z.strictObject({ track: subjectSchema, part: lineText(60) }).optional(),
  /** Who did what. */
  credits: z
    .array(z.strictObject({ name: lineText(100), role: lineText(60), user: addressSchema.optional() }))
    .min(1)
    .max(30)
    .optional(),
})
export type TrackContent = z.infer<typeof trackContentSchema>

/** What an action says of the audio. Without receipts all of it stays as it was. */
const audioFields = ['manifest', 'storageRoot', 'leafCount', 'byteLength', 'durationMs'] as const

/** Publishes a track, or replaces what was published under its number. New audio is accepted only with
 * receipts of the operators that are to hold it, so that nobody owes storage for a claim. */
export const trackKind: Kind<TrackContent> = {
  number: 2,
  schema: trackContentSchema,
  reads: (content) => originsOf(content).map(subjectKey),
  rule(input) {
    const { action, before, content } = input
    if (numberOf(action.subject) === userNumber || (before && before.kind !== 'track')) {
      return reject('wrongSubject', 'this number is not free for a track')
    }
    const doubt = checkOrigins(input)
    if (doubt) return doubt
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

/** As version 1 of the rules has it. */
export const firstTrackKind: Kind<TrackContent> = { ...trackKind, schema: firstContentSchema }

function originsOf({ remixOf = [], stemOf }: Pick<TrackContent, 'remixOf' | 'stemOf'>): Subject[] {
  return [...remixOf.map(({ track }) => track), ...(stemOf ? [stemOf.track] : [])]
}

/** What a track says it is made of must be there when it says so for the first time; it may be deleted later. */
function checkOrigins({ action, before, content, view }: RuleInput<TrackContent>): Verdict | undefined {
  const known = new Set(originsOf((before?.body ?? {}) as TrackContent))
  for (const track of originsOf(content)) {
    if (track === action.subject)
      return reject('wrongSubject', 'a track is neither its own remix nor its own stem')
    if (!known.has(track) && livingSubject(view, track)?.kind !== 'track') {
      return reject('notFound', `there is no track ${track}`)
    }
  }
  const { stemOf } = content
  if (stemOf === undefined || known.has(stemOf.track)) return undefined
  if (authorOf(stemOf.track) !== action.author) {
    return reject('wrongSubject', 'stems are of tracks by the same author: name those of others in remixOf')
  }
  const isStem = livingSubject(view, stemOf.track)?.body.stemOf !== undefined
  return isStem ? reject('wrongSubject', `${stemOf.track} is a stem itself`) : undefined
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
    // The key may have been rotated since the epoch began: what counts is the key in force now.
    const hotKey = view.operatorsAt(place.block - 1).get(short.operator)?.hotKey
    const recover = hotKey && view.recoverExpecting?.(hotKey)
    const signer = receiptSigner(receipt, view.domain, recover, view.engine)
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
