import * as z from 'zod'
import { toCanonicalJson } from '../canonical/index.ts'
import { type Address, addressSchema, type Subject, subjectToBytes32 } from '../names/index.ts'
import { type Domain, type Signer, signerOf, signMessage } from '../signing/index.ts'
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

/** What shows that a gate is the artist's, so that one key holder can believe another. */
export const gateProofSchema = z.strictObject({
  /** When it was set, in ms since 1970: the latest counts. */
  atMs: z.int().positive(),
  signature: z.string().max(132),
})
export type GateProof = z.infer<typeof gateProofSchema>

/** `GET /premium/:subject`: whom the artist lets have the keys, null for whoever pays; and since when, in ms since 1970. */
export const gateAnswerSchema = z.strictObject({
  gate: gateSchema.nullable(),
  atMs: z.int().positive().optional(),
})

/** What a key holder needs: as an artist gives it, and as key holders give it to each other, sealed to whoever asks. Nodes
 * keep some that came before gates were signed. */
export const keptSecretSchema = z.strictObject({
  sealed: z.string().regex(sealedSecretPattern, 'must be a secret that was sealed to this node'),
  gate: gateSchema.nullable(),
  proof: gateProofSchema.optional(),
})
export type KeptSecret = z.infer<typeof keptSecretSchema>

/** Body of `PUT /premium/:subject`: without a secret, to a key holder that has it, the gate alone. */
export const givenSecretSchema = keptSecretSchema.partial({ sealed: true })
export type GivenSecret = z.infer<typeof givenSecretSchema>

/** Says who may have the keys of a track. @param domain of the Catalog @param set.atMs ms since 1970 */
export async function signGate(
  signer: Signer,
  domain: Domain,
  { subject, gate, atMs }: { subject: Subject; gate: Gate | null; atMs: number },
): Promise<GateProof> {
  return { atMs, signature: await signMessage(signer, domain, 'PremiumGate', messageOf(subject, gate, atMs)) }
}

/** Who has set a gate. @throws SignatureError */
export function gateSigner(
  domain: Domain,
  { subject, gate, proof }: { subject: Subject; gate: Gate | null; proof: GateProof },
): Address {
  return signerOf(domain, 'PremiumGate', messageOf(subject, gate, proof.atMs), proof.signature)
}

function messageOf(subject: Subject, gate: Gate | null, atMs: number) {
  return { subject: subjectToBytes32(subject), gate: toCanonicalJson(gate), atMs }
}
