import * as z from 'zod'
import { type Address, subjectSchema, subjectToBytes32 } from '../names/index.ts'
import { type Domain, SignatureError, type Signer, signerOf, signMessage } from '../signing/index.ts'

/** Longest life of the grant for a track that is published as soon as it can be: long enough for a slow upload, a queue
 * and a restart. */
export const usualGrantMs = 7 * 86_400_000
/** How far ahead of its release a creator node holds a signed action back. */
export const maximumHoldMs = 30 * 86_400_000
/** Longest life of any grant: operators have a track that waits for its release from its upload on, and then for as long
 * as any other that is not published yet. */
export const maximumGrantMs = maximumHoldMs + usualGrantMs

/** The author's word that one creator node may ask operators to hold one new track. It opens nothing else,
 * so it may be shown to every operator that is asked. */
export const grantSchema = z.strictObject({
  subject: subjectSchema,
  /** Origin of the creator node. */
  audience: z.string().max(300),
  byteLimit: z.int().positive(),
  /** ms since 1970. */
  expiresAt: z.int().positive(),
  signature: z.string().max(132),
})
export type Grant = z.infer<typeof grantSchema>

export class GrantError extends Error {
  override readonly name = 'GrantError'
}

export async function signGrant(
  author: Signer,
  domain: Domain,
  grant: Omit<Grant, 'signature'>,
): Promise<Grant> {
  return { ...grant, signature: await signMessage(author, domain, 'Grant', message(grant)) }
}

/** Checks a grant for one node. @returns the signer, who must control the subject's author
 * @throws GrantError when it is for another node, expired, too long-lived or badly signed */
export function verifyGrant(
  grant: Grant,
  { domain, audience, now }: { domain: Domain; audience: string; now: number },
): Address {
  if (grant.audience !== audience) throw new GrantError(`the grant is for ${grant.audience}, not ${audience}`)
  if (grant.expiresAt < now) throw new GrantError('the grant has expired: sign a new one')
  if (grant.expiresAt > now + maximumGrantMs + 60_000) {
    throw new GrantError(`the grant lives over ${maximumGrantMs / 86_400_000} days`)
  }
  try {
    return signerOf(domain, 'Grant', message(grant), grant.signature)
  } catch (cause) {
    if (cause instanceof SignatureError) throw new GrantError(`the grant's signature is malformed`, { cause })
    throw cause
  }
}

function message(grant: Omit<Grant, 'signature'>) {
  return {
    subject: subjectToBytes32(grant.subject),
    audience: grant.audience,
    byteLimit: BigInt(grant.byteLimit),
    expiresAt: grant.expiresAt,
  }
}
