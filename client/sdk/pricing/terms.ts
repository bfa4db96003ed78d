import {
  type Address,
  addressSchema,
  authorOf,
  type Subject,
  subjectSchema,
  subjectToBytes32,
} from '@hexachord/protocol/names'
import { checkTerms, paymentDomains, type Terms } from '@hexachord/protocol/payments'
import type { TrackTerms } from '@hexachord/protocol/rest'
import { signMessage } from '@hexachord/protocol/signing'
import { ZeroAddress } from 'ethers'
import * as z from 'zod'
import type { Connection } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import {
  type EscrowReader,
  sendCall,
  type TermsOnChain,
  type Token,
  tokenOf,
  tracksInterface,
  type Writing,
} from '../paying/index.ts'

/** For how long signed terms may be sent. */
const signedForSeconds = 86_400

/** What a track costs now, and what it will cost. */
export type Price = {
  /** Who may change it; its author before it was registered. */
  readonly owner: Address
  /** To whom the owner offers it; undefined if to nobody. */
  readonly offeredTo: Address | undefined
  /** Undefined for a track that was never registered, and is free. */
  readonly inForce: TermsOnChain | undefined
  /** `effectiveAt` in unix seconds. */
  readonly change: (TermsOnChain & { readonly effectiveAt: number }) | undefined
}

/** @throws ApiError when the chain does not answer */
export async function readPrice(reader: EscrowReader, track: Subject): Promise<Price> {
  const { trackRegistry } = reader.contracts.payments
  const [inForce, change, owner, offered] = await Promise.all([
    reader.termsOf(track),
    reader.changeOf(track),
    reader.view(trackRegistry, tracksInterface, 'ownerOf', [subjectToBytes32(track)]),
    reader.view(trackRegistry, tracksInterface, 'offeredTo', [subjectToBytes32(track)]),
  ])
  const registered = inForce && String(owner?.[0]).toLowerCase()
  const to = String(offered?.[0] ?? ZeroAddress).toLowerCase() as Address
  return {
    owner: (registered as Address | undefined) ?? authorOf(track),
    offeredTo: to === ZeroAddress ? undefined : to,
    ...{ inForce, change },
  }
}

/** What a track costs, and will cost, by the index; its owner may have offered it to somebody, which the index does not say.
 * @returns the price, and in which token where there is one
 * @throws ApiError (404 unknown, 410 deleted) */
export async function priceByIndex(
  connection: Connection,
  track: Subject,
  options: { readonly signal?: AbortSignal } = {},
): Promise<{ readonly price: Price; readonly token: Token | undefined }> {
  const { terms } = await findTrack(connection, track, options)
  const free = { owner: authorOf(track), offeredTo: undefined, inForce: undefined, change: undefined }
  if (terms === null) return { price: free, token: undefined }
  const { owner, currency, change } = terms
  const waiting = change && { ...inChainForm(change), effectiveAt: Math.floor(change.effectiveAtMs / 1000) }
  return {
    price: { owner, offeredTo: undefined, inForce: inChainForm(terms), change: waiting ?? undefined },
    token: tokenOf(currency),
  }
}

function inChainForm({ version, unitPrice, nodeBps, curatorBps, payees }: TrackTerms): TermsOnChain {
  const accounts = { payees: payees.map(({ account }) => account), payeeBps: payees.map(({ bps }) => bps) }
  return { version, terms: { unitPrice: BigInt(unitPrice), nodeBps, curatorBps, ...accounts } }
}

/** Somebody else owns the track where it is paid; the message says who, and what can be done. */
export class NotTheOwner extends Error {
  override readonly name = 'NotTheOwner'
  readonly owner: Address

  constructor(track: Subject, account: Address, { owner, inForce }: Pick<Price, 'owner' | 'inForce'>) {
    const why =
      inForce === undefined
        ? 'nobody has set terms for it yet, so it is of the first key of its author: keys that were rotated in the catalogue do not count where tracks are paid'
        : 'who owns a track is what TrackRegistry says, whatever keys the catalogue has'
    super(
      `${track} is not of ${account} but of ${owner}: ${why}. That key sets the price, or hands the track on: it offers the track, and ${account} accepts it`,
    )
    this.owner = owner
  }
}

/** @throws NotTheOwner, ApiError */
export async function requireOwner(reader: EscrowReader, track: Subject, account: Address): Promise<void> {
  const price = await readPrice(reader, track)
  if (price.owner !== account) throw new NotTheOwner(track, account, price)
}

/** Offers a registered track to another account, which owns it once it accepts; waits until the chain has it. The payer has
 * to be the owner. This is also how an artist takes tracks along to a new key.
 * @param to the zero address takes an offer back
 * @throws TransactionFailed, ApiError, and what the payer throws */
export async function offerTrack(writing: Writing, track: Subject, to: Address): Promise<void> {
  await call(writing, 'offerTrack', [subjectToBytes32(track), to])
}

/** Accepts a track that was offered to the payer: a change of terms that waits is dropped, those in force stay.
 * @throws as `offerTrack` */
export async function acceptTrack(writing: Writing, track: Subject): Promise<void> {
  await call(writing, 'acceptTrack', [subjectToBytes32(track)])
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

/** Signs terms for somebody else to send, within a day. @throws TermsError, NotTheOwner, ApiError */
export async function signTerms(
  reader: EscrowReader,
  owner: Account,
  track: Subject,
  { terms, nowMs }: { terms: Terms; nowMs: number },
): Promise<SignedTerms> {
  checkTerms(terms)
  await requireOwner(reader, track, owner.address)
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
