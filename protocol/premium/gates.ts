import * as z from 'zod'
import { addressSchema } from '../names/index.ts'
import { sealedSecretPattern } from './sealed-secret.ts'

const wholeNumber = z.string().regex(/^(0|[1-9][0-9]{0,77})$/, 'must be a whole number as a decimal string')

/** Who may have the keys of a premium track, besides having paid where it has a price. */
export const gateSchema = z.discriminatedUnion('kind', [
  /** Whoever follows the artist. */
  z.strictObject({ kind: z.literal('follower') }),
  /** Whoever holds so much of a token at the newest block; `id` is for ERC-1155. */
  z.strictObject({
    kind: z.literal('holder'),
    standard: z.enum(['erc20', 'erc721', 'erc1155']),
    contract: addressSchema,
    id: wholeNumber.optional(),
    least: wholeNumber,
  }),
])
export type Gate = z.infer<typeof gateSchema>

/** `GET /premium/:subject`: whom the artist lets have the keys; null for whoever pays. */
export const gateAnswerSchema = z.strictObject({ gate: gateSchema.nullable() })

/** Body of `PUT /premium/:subject`, by which an artist gives a key holder what it needs; and what key holders give each
 * other, sealed to whoever asks. */
export const keptSecretSchema = z.strictObject({
  sealed: z.string().regex(sealedSecretPattern, 'must be a secret that was sealed to this node'),
  gate: gateSchema.nullable(),
})
export type KeptSecret = z.infer<typeof keptSecretSchema>
