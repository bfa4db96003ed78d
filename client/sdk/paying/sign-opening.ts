import { type Address, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { type Opening, openingMs } from '@hexachord/protocol/payments'
import { signMessage } from '@hexachord/protocol/signing'
import type { Purse } from './purse.ts'

/** Openings of one moment are told apart by when they expire: those that are the same are one session, and two plays that
 * share one would both pay for each unit. */
const openingSpreadMs = 10_000

/** Signs the opening of a session. It lives for about half of the longest life, so that clocks may differ by the other half.
 * @param nowMs by the clock of whom it is for */
export async function signOpening(
  { spender, domain }: Pick<Purse, 'spender' | 'domain'>,
  { node, track, curator }: { node: Address; track: Subject; curator: Address },
  nowMs: number,
): Promise<Opening> {
  const expiresAt = nowMs + openingMs / 2 - Math.floor(Math.random() * openingSpreadMs)
  const message = { payer: spender.payer, node, curator, expiresAt }
  const opening = { ...message, track: subjectToBytes32(track) }
  const signature = await signMessage(spender.key.signer, domain, 'Opening', opening)
  return { ...message, subject: track, signature }
}
