import { Problem, parse } from '@hexachord/platform/http'
import { type Address, authorOf, numberOf, type Subject, userNumber } from '@hexachord/protocol/names'
import { type Grant, GrantError, grantSchema, verifyGrant } from '@hexachord/protocol/offers'
import { SealedSecretError } from '@hexachord/protocol/premium'
import { type PremiumUpload, premiumUploadSchema, uploadMetadataSchema } from '@hexachord/protocol/rest'
import type { Domain } from '@hexachord/protocol/signing'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { explain, type Takedowns } from '@hexachord/storage/takedowns'
import { type Budgets, overspentProblem, type PublisherGate } from '../admission/index.ts'
import type { Upload } from './upload.ts'
import type { UploadStore } from './upload-store.ts'

export type AdmitOptions = {
  domain: Domain
  /** Origin of this node. */
  audience: string
  catalogue: Pick<Catalogue, 'identity' | 'subject'>
  takedowns: Pick<Takedowns, 'trackDenied'>
  gate: PublisherGate
  budgets: Budgets
  uploads: Pick<UploadStore, 'add' | 'countOpen'>
  /** Opens secrets that were sealed to this node. @throws SealedSecretError */
  openSecret: OpenSecret
  /** Whether what is published of a track now is encrypted; undefined for one that is not published.
   * @throws Problem 410, 502 */
  isPremium: (subject: Subject) => Promise<boolean | undefined>
  limits: UploadLimits
  /** Origins of other nodes that take uploads, for whom this one refuses. */
  otherNodes: () => readonly string[]
  /** Room that is left for uploads, in bytes. */
  freeBytes: () => Promise<number>
  /** ms since 1970. */
  now: () => number
}

/** What an operator takes at most. */
export type UploadLimits = {
  /** Of one file. */
  readonly maximumBytes: number
  /** Uploads that have not ended, of all and of one account. Whoever makes a thousand keys fills no memory. */
  readonly maximumOpen: number
  readonly maximumOpenPerAccount: number
}

/** Opens the secret of a track that was sealed to this node. */
export type OpenSecret = (sealed: string, subject: Subject) => Uint8Array

/** The request that creates an upload. */
export type UploadRequest = {
  id: string
  account: Address
  byteLength: number | undefined
  metadata: Readonly<Record<string, string | null>> | undefined
}

/** What an upload counts at least, since each also costs a row, a file and a job. */
export const leastSpentBytes = 64 * 1024

const roomRetrySeconds = 3_600
const openRetrySeconds = 60

/** What an upload of so many bytes counts in the day's budget. */
export function spentBytes(byteLength: number): number {
  return Math.max(byteLength, leastSpentBytes)
}

/**
 * Checks everything about a new upload that can be checked before a byte is sent.
 * @returns the upload in state `receiving`; nothing is spent or stored for it yet
 * @throws Problem 400, 403, 409, 411, 413 or 429; 410 or 502 where it cannot be seen what is published
 */
export async function checkUpload(request: UploadRequest, options: AdmitOptions): Promise<Upload> {
  const { id, account } = request
  const atMs = options.now()
  const byteLength = lengthOf(request.byteLength, options.limits.maximumBytes)
  const metadata = parse(uploadMetadataSchema, request.metadata ?? {})
  const grant = grantOf(metadata.grant, { account, atMs }, options)
  const keepOriginal = metadata.keepOriginal === 'true'
  const premium =
    metadata.premium === undefined ? undefined : await premiumOf(metadata.premium, grant, options)
  if (premium !== undefined && keepOriginal) {
    throw new Problem({
      status: 400,
      slug: 'premium-with-original',
      detail: 'the file itself would give away what is encrypted: leave keepOriginal or premium out',
    })
  }
  if (keepOriginal && byteLength > grant.byteLimit) {
    throw new Problem({
      status: 400,
      slug: 'grant-too-small',
      detail: `the grant allows ${grant.byteLimit} bytes; the file that shall be part of the track has ${byteLength}`,
    })
  }
  if (!options.gate.mayPublish(account, authorOf(grant.subject))) {
    throw options.gate.refusal(account, { otherNodes: options.otherNodes() })
  }
  checkOpen(account, options)
  return {
    id,
    version: 1,
    state: 'receiving',
    subject: grant.subject,
    account,
    grant,
    filename: metadata.filename,
    filetype: metadata.filetype,
    keepOriginal,
    ...(premium === undefined ? {} : { premium }),
    expectedSha256: metadata.sha256,
    byteLength,
    receivedBytes: 0,
    createdAtMs: atMs,
    changedAtMs: atMs,
    notes: [],
    renditions: [],
    replicas: [],
    copies: 0,
    sourceGone: false,
    released: false,
  }
}

/**
 * Takes room and budget for an upload whose file is to be sent, and adds it.
 * @throws Problem 429 or 507
 */
export async function addWithRoom(upload: Upload, options: AdmitOptions): Promise<void> {
  const { account, byteLength, keepOriginal } = upload
  const otherNodes = options.otherNodes()
  if (byteLength * (keepOriginal ? 2 : 1) > (await options.freeBytes())) {
    throw new Problem({
      status: 507,
      slug: 'disk-full',
      title: 'Disk full',
      detail: 'this node has no room for the file now: use another creator node (see `otherNodes`)',
      members: { otherNodes },
      headers: { 'Retry-After': String(roomRetrySeconds) },
    })
  }
  // From here to the end nobody else's upload comes in between.
  checkOpen(account, options)
  const overspent = options.budgets.spend(account, { bytes: spentBytes(byteLength) })
  if (overspent) throw overspentProblem(overspent, { otherNodes })
  options.uploads.add(upload)
}

/** @throws Problem 429 when the account, or all together, have as many uploads under way as there may be */
export function checkOpen(
  account: Address,
  {
    uploads,
    limits,
    otherNodes,
  }: Pick<AdmitOptions, 'limits' | 'otherNodes'> & { uploads: Pick<UploadStore, 'countOpen'> },
): void {
  const refuse = (of: 'node' | 'account', detail: string) => {
    throw new Problem({
      status: 429,
      slug: 'too-many-uploads',
      title: 'Too many uploads',
      detail,
      members: { of, otherNodes: otherNodes() },
      headers: { 'Retry-After': String(openRetrySeconds) },
    })
  }
  if (uploads.countOpen(account) >= limits.maximumOpenPerAccount) {
    refuse(
      'account',
      `this account has ${limits.maximumOpenPerAccount} uploads under way: wait until one of them ends, or cancel it`,
    )
  }
  if (uploads.countOpen() >= limits.maximumOpen) {
    refuse(
      'node',
      `this node works on ${limits.maximumOpen} uploads already: wait, or use another creator node`,
    )
  }
}

function lengthOf(bytes: number | undefined, maximumBytes: number): number {
  if (bytes === undefined || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw new Problem({
      status: 411,
      slug: 'length-required',
      detail: 'Upload-Length must say how many bytes the file has',
    })
  }
  if (bytes > maximumBytes) {
    throw new Problem({
      status: 413,
      slug: 'file-too-large',
      title: 'File too large',
      detail: `the file has ${bytes} bytes; this node takes up to ${maximumBytes}: compress it as FLAC`,
      members: { maximumBytes },
    })
  }
  return bytes
}

function grantOf(
  text: string,
  { account, atMs }: { account: Address; atMs: number },
  options: AdmitOptions,
): Grant {
  const grant = parse(grantSchema, jsonOf(text, 'grant'))
  const author = authorOf(grant.subject)
  if (numberOf(grant.subject) === userNumber) {
    throw new Problem({ status: 400, slug: 'wrong-subject', detail: 'number 0 is the author, not a track' })
  }
  const signer = signerOf(grant, atMs, options)
  const { controller } = options.catalogue.identity(author, atMs)
  if (signer !== controller || account !== controller) {
    throw new Problem({
      status: 403,
      slug: 'not-the-author',
      detail: `only ${controller}, who controls ${author}, may upload for ${grant.subject}`,
    })
  }
  // No operator would hold it, and no indexer would take it.
  if (options.catalogue.subject(grant.subject)?.deleted) {
    throw new Problem({
      status: 409,
      slug: 'deleted',
      detail: `${grant.subject} was deleted, and its number with it: take a new one`,
    })
  }
  const takedown = options.takedowns.trackDenied(grant.subject)
  if (takedown !== undefined) {
    // Not 451: to honour a notice is this operator's choice, whether or not a law demands it of anybody.
    throw new Problem({
      status: 403,
      slug: 'taken-down',
      title: 'Taken down',
      detail: `this node takes no upload for ${grant.subject}: ${explain(takedown)}. Others may take it (see \`otherNodes\`)`,
      members: { ...takedown, otherNodes: options.otherNodes() },
    })
  }
  return grant
}

/** @throws Problem 400 for what this node cannot open, 409 for a track that everybody may hear already */
async function premiumOf(
  text: string,
  { subject }: Grant,
  { isPremium, openSecret }: AdmitOptions,
): Promise<PremiumUpload> {
  const premium = parse(premiumUploadSchema, jsonOf(text, 'premium'))
  try {
    openSecret(premium.sealed, subject)
  } catch (cause) {
    if (!(cause instanceof SealedSecretError)) throw cause
    throw new Problem({ status: 400, slug: 'invalid-secret', detail: cause.message, cause })
  }
  if ((await isPremium(subject)) === false) {
    throw new Problem({
      status: 409,
      slug: 'already-free',
      detail: `${subject} is published without encryption, and what was free stays so: publish it as a new track`,
    })
  }
  return premium
}

function signerOf(grant: Grant, now: number, { domain, audience }: AdmitOptions): Address {
  try {
    return verifyGrant(grant, { domain, audience, now })
  } catch (cause) {
    if (!(cause instanceof GrantError)) throw cause
    throw new Problem({ status: 403, slug: 'invalid-grant', detail: cause.message, cause })
  }
}

function jsonOf(text: string, name: 'grant' | 'premium'): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Problem({ status: 400, slug: `invalid-${name}`, detail: `the ${name} is not JSON`, cause })
  }
}
