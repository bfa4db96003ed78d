import * as z from 'zod'
import { cidSchema, digestHex, sha256Of } from '../cids/index.ts'
import {
  type Address,
  addressSchema,
  type Hash,
  hashSchema,
  type Subject,
  subjectSchema,
  subjectToBytes32,
} from '../names/index.ts'
import { type Domain, SignatureError, type Signer, signerOf, signMessage } from '../signing/index.ts'

/** Blocks that are asked for at one time, at most: enough that a tenth of a track that is gone shows soon. */
export const maximumProofBlocks = 8

/** `POST /proofs`, signed by an operator's hot key. The nonce is fresh, so that no answer can be prepared. */
export const proofRequestSchema = z.strictObject({
  subject: subjectSchema,
  manifest: cidSchema,
  nonce: hashSchema,
  /** Blocks of the track, as the asker picks them. */
  blocks: z.array(cidSchema).min(1).max(maximumProofBlocks),
})
export type ProofRequest = z.infer<typeof proofRequestSchema>

/** What an operator answers that has read the blocks from its own disk just now. */
export const proofSchema = z.strictObject({
  operator: addressSchema,
  /** `proofHash` over the blocks in the order in which they were asked for. */
  answer: hashSchema,
  signature: z.string().max(132),
})
export type Proof = z.infer<typeof proofSchema>

/** sha256(sha256(nonce ‖ block) ‖ …) over the blocks: whoever knows it has had every byte of them since the nonce. */
export async function proofHash(nonce: Hash, blocks: AsyncIterable<Uint8Array>): Promise<Hash> {
  const prefix = bytesOf(nonce)
  const hashes: Uint8Array[] = []
  for await (const block of blocks) hashes.push(await sha256Of(joined([prefix, block])))
  return hexOf(await sha256Of(joined(hashes)))
}

type ProofContext = {
  readonly operator: Address
  /** Operator that asks: an answer to one is of no use to another. */
  readonly asker: Address
  readonly subject: Subject
  readonly manifest: string
  readonly nonce: Hash
  readonly answer: Hash
}

export async function signProof(hotKey: Signer, domain: Domain, context: ProofContext): Promise<Proof> {
  const signature = await signMessage(hotKey, domain, 'Proof', message(context))
  return { operator: context.operator, answer: context.answer, signature }
}

/** Who signed a proof: the caller compares it with the operator's hot key.
 * @returns undefined when the signature is malformed */
export function proofSigner(context: ProofContext, signature: string, domain: Domain): Address | undefined {
  try {
    return signerOf(domain, 'Proof', message(context), signature)
  } catch (error) {
    if (error instanceof SignatureError) return undefined
    throw error
  }
}

function message({ operator, asker, subject, manifest, nonce, answer }: ProofContext) {
  const names = { subject: subjectToBytes32(subject), manifest: digestHex(manifest) }
  return { operator, asker, ...names, nonce, answer }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

function bytesOf(hash: Hash): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, index) =>
    Number.parseInt(hash.slice(2 + index * 2, 4 + index * 2), 16),
  )
}

function hexOf(bytes: Uint8Array): Hash {
  return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
