import * as z from 'zod'
import { cidSchema, parseCid, sha256Of } from '../cids/index.ts'
import { type Hash, hashSchema, type Subject, subjectSchema } from '../names/index.ts'

/** Buckets of a listing: the first byte of the manifest's hash, so they are all about as full. */
export const holdingBuckets = 256
/** Entries on one page of a bucket, and tracks in one question. */
export const holdingsPerPage = 1_000
export const holdingsPerQuestion = 100

export type HeldTrack = { readonly subject: Subject; readonly manifest: string }
export const heldTrackSchema = z.strictObject({ subject: subjectSchema, manifest: cidSchema })

/** `GET /holdings` from operator to operator: digests of what the answering one holds among the tracks for which
 * placement considers the asking one, too. Equal roots: nothing has changed since the last time. */
export const holdingDigestsSchema = z.object({
  root: hashSchema,
  buckets: z.array(hashSchema).length(holdingBuckets),
})
export type HoldingDigests = z.infer<typeof holdingDigestsSchema>

/** `GET /holdings/:bucket?after=`: one page, in the order of `compareHeld`. */
export const holdingBucketSchema = z.object({
  items: z.array(heldTrackSchema).max(holdingsPerPage),
  next: z.string().max(300).nullable(),
})
export type HoldingBucket = z.infer<typeof holdingBucketSchema>

/** `POST /holdings`: how it stands with some tracks at this moment. */
export const holdingQuestionSchema = z.strictObject({
  tracks: z.array(heldTrackSchema).min(1).max(holdingsPerQuestion),
})
/** `held`: pinned, with a receipt. `bringing`: on its way here now, so others need not. */
export const holdingAnswerSchema = z.object({
  states: z.array(z.enum(['held', 'bringing', 'none'])).max(holdingsPerQuestion),
})
export type HoldingAnswer = z.infer<typeof holdingAnswerSchema>

/** @throws CidError */
export function bucketOf(manifest: string): number {
  return parseCid(manifest).digest[0] ?? 0
}

/** By subject, then by manifest, as their letters' codes go. */
export function compareHeld(one: HeldTrack, other: HeldTrack): number {
  const [a, b] = [lineOf(one), lineOf(other)]
  return a < b ? -1 : a > b ? 1 : 0
}

/** Digest of one bucket: sha256 over its lines `subject manifest`, each ended by a line feed, in order.
 * @param entries in the order of `compareHeld` */
export function bucketDigest(entries: readonly HeldTrack[]): Promise<Hash> {
  return digestOfText(entries.map((entry) => `${lineOf(entry)}\n`).join(''))
}

/** Digest over the digests of all buckets. */
export function holdingRoot(buckets: readonly Hash[]): Promise<Hash> {
  return digestOfText(buckets.join('\n'))
}

/** An entry as it is digested; also the cursor behind it. */
export function lineOf({ subject, manifest }: HeldTrack): string {
  return `${subject} ${manifest}`
}

async function digestOfText(text: string): Promise<Hash> {
  const hash = await sha256Of(new TextEncoder().encode(text))
  return `0x${Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
