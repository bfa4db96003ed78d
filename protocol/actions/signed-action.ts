import * as z from 'zod'
import { addressSchema, subjectSchema } from '../names/index.ts'

/** Largest content that the Catalog takes, in bytes. */
export const maximumContentBytes = 8192

const notANonce = 'must be a decimal string below 2^256'

/** `POST /actions`: all that a relay needs. `content` is the canonical JSON as text. */
export const signedActionSchema = z.strictObject({
  author: addressSchema,
  nonce: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,77})$/, { error: notANonce, abort: true })
    .refine((nonce) => BigInt(nonce) < 2n ** 256n, notANonce),
  kind: z.int().min(0).max(65_535),
  subject: subjectSchema,
  content: z.string().max(maximumContentBytes),
  /** Unix seconds. */
  deadline: z.int().positive(),
  signature: z.string().max(132),
})
export type SignedAction = z.infer<typeof signedActionSchema>
