import {
  type Address,
  addressSchema,
  authorOf,
  type Subject,
  subjectSchema,
  subjectToBytes32,
} from '@hexachord/protocol/names'
import { checkTerms, paymentDomains, type Terms } from '@hexachord/protocol/payments'
import { signMessage } from '@hexachord/protocol/signing'
import * as z from 'zod'
import type { Account } from '../keys/index.ts'
import {
  type EscrowReader,
  sendCall,
  type TermsOnChain,
  tracksInterface,
  type Writing,
} from '../paying/index.ts'

/** For how long signed terms may be sent. */
const signedForSeconds = 86_400

/** What a track costs now, and what it will cost. */
export type Price = {
  /** Who may change it; its author before it was registered. */
  readonly owner: Address
  /** Undefined for a track that was never registered, and is free. */
  readonly inForce: TermsOnChain | undefined
  /** `effectiveAt` in unix seconds. */
  readonly change: (TermsOnChain & { readonly effectiveAt: number }) | undefined
}

/** @throws ApiError when the chain does not answer */
export async function readPrice(reader: EscrowReader, track: Subject): Promise<Price> {
  const { trackRegistry } = reader.contracts.payments
  const [inForce, change, owner] = await Promise.all([
    reader.termsOf(track),
    reader.changeOf(track),
    reader.view(trackRegistry, tracksInterface, 'ownerOf', [subjectToBytes32(track)]),
  ])
  const registered = inForce && String(owner?.[0]).toLowerCase()
  return { owner: (registered as Address | undefined) ?? authorOf(track), inForce, change }
}

/** Sets what a track costs and who earns from it, and waits until the chain has it. The first terms are in force at once,
 * later ones after a week. The payer has to be the owner; before registration that is the author.
 * @throws TermsError for terms that the contract refuses, TransactionFailed, ApiError, and what the payer throws */
export async function setTerms(writing: Writing, track: Subject, terms: Terms): Promise<void> {
  checkTerms(terms)
  await call(writing, 'setTerms', [subjectToBytes32(track), terms])
}

/** Takes a change back that is not in force yet. */
export async function cancelChange(writing: Writing, track: Subject): Promise<void> {
  await call(writing, 'cancelChange', [subjectToBytes32(track)])
}

const amountSchema = z.string().regex(/^[0-9]+$/)
const bpsSchema = z.int().min(0).max(10_000)

/** Terms that their owner has signed, as JSON for whoever sends them: signed once, they can be sent once. */
export const signedTermsSchema = z.strictObject({
  track: subjectSchema,
  unitPrice: amountSchema,
  nodeBps: bpsSchema,
  curatorBps: bpsSchema,
  payees: z.array(addressSchema),
  payeeBps: z.array(bpsSchema),
  /** Unix seconds. */
  deadline: z.int(),
  signature: z.string(),
})
export type SignedTerms = z.infer<typeof signedTermsSchema>

/** Signs terms for somebody else to send, within a day. @throws TermsError, ApiError */
export async function signTerms(
  reader: EscrowReader,
  owner: Account,
  track: Subject,
  { terms, nowMs }: { terms: Terms; nowMs: number },
): Promise<SignedTerms> {
  checkTerms(terms)
  const { unitPrice, nodeBps, curatorBps, payees, payeeBps } = terms
  const deadline = Math.floor(nowMs / 1000) + signedForSeconds
  const version = (await reader.latestVersion(track)) + 1
  const { tracks } = paymentDomains(reader.contracts)
  const signature = await signMessage(owner.signer, tracks, 'Terms', {
    ...{ track: subjectToBytes32(track), version, ...terms, deadline: BigInt(deadline) },
  })
  return {
    ...{ track, unitPrice: unitPrice.toString(), nodeBps, curatorBps },
    ...{ payees: [...payees], payeeBps: [...payeeBps], deadline, signature },
  }
}

/** Sends terms that their owner has signed. @throws TermsError, TransactionFailed, ApiError, and what the payer throws */
export async function sendTerms(writing: Writing, signed: SignedTerms): Promise<void> {
  const { track, deadline, signature, unitPrice, ...rest } = signed
  const terms = { ...rest, unitPrice: BigInt(unitPrice) }
  checkTerms(terms)
  await call(writing, 'setTermsBySig', [subjectToBytes32(track), terms, deadline, signature])
}

async function call(writing: Writing, name: string, args: unknown[]): Promise<void> {
  await sendCall(writing, writing.reader.contracts.payments.trackRegistry, tracksInterface, name, args)
}
