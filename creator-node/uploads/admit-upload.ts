import { Problem, parse } from '@hexachord/platform/http'
import { type Address, authorOf, numberOf, userNumber } from '@hexachord/protocol/names'
import { type Grant, GrantError, grantSchema, verifyGrant } from '@hexachord/protocol/offers'
import { uploadMetadataSchema } from '@hexachord/protocol/rest'
import type { Domain } from '@hexachord/protocol/signing'
import type { Catalogue } from '@hexachord/storage/catalogue'
import {
  type Budgets,
  mayPublish,
  notAPublisher,
  overspentProblem,
  type Publishers,
} from '../admission/index.ts'
import type { Upload } from './upload.ts'

export type AdmitOptions = {
  domain: Domain
  /** Origin of this node. */
  audience: string
  catalogue: Pick<Catalogue, 'identity' | 'subject'>
  publishers: Publishers
  budgets: Budgets
  maximumBytes: number
  /** Room that is left for uploads, in bytes. */
  freeBytes: () => Promise<number>
  /** ms since 1970. */
  now: () => number
}

/** The request that creates an upload. */
export type UploadRequest = {
  id: string
  account: Address
  byteLength: number | undefined
  metadata: Readonly<Record<string, string | null>> | undefined
}

/** What an upload counts at least, since each also costs a row, a file and a job. */
const leastSpentBytes = 64 * 1024

const hour = 3600

/**
 * Decides whether a new upload is taken, and spends its bytes of the day's budgets.
 * @returns the upload to remember, in state `receiving`
 * @throws Problem 400, 403, 409, 411, 413, 429 or 507
 */
export async function admitUpload(request: UploadRequest, options: AdmitOptions): Promise<Upload> {
  const { id, account } = request
  const atMs = options.now()
  const byteLength = lengthOf(request.byteLength, options.maximumBytes)
  const metadata = parse(uploadMetadataSchema, request.metadata ?? {})
  const grant = grantOf(metadata.grant, { account, atMs }, options)
  if (!mayPublish(options.publishers, account, authorOf(grant.subject))) throw notAPublisher(account)
  if (byteLength > (await options.freeBytes())) {
    throw new Problem({
      status: 507,
      slug: 'disk-full',
      title: 'Disk full',
      detail: 'this node has no room for the file now: use another creator node',
      headers: { 'Retry-After': String(hour) },
    })
  }
  const overspent = options.budgets.spend('bytes', account, Math.max(byteLength, leastSpentBytes))
  if (overspent) throw overspentProblem('bytes', overspent)
  return {
    id,
    version: 1,
    state: 'receiving',
    subject: grant.subject,
    account,
    grant,
    filename: metadata.filename,
    filetype: metadata.filetype,
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

function lengthOf(bytes: number | undefined, maximumBytes: number): number {
  if (bytes === undefined || !Number.isSafeInteger(bytes)) {
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
  const grant = parse(grantSchema, jsonOf(text))
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
  return grant
}

function signerOf(grant: Grant, now: number, { domain, audience }: AdmitOptions): Address {
  try {
    return verifyGrant(grant, { domain, audience, now })
  } catch (cause) {
    if (!(cause instanceof GrantError)) throw cause
    throw new Problem({ status: 403, slug: 'invalid-grant', detail: cause.message, cause })
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Problem({ status: 400, slug: 'invalid-grant', detail: 'the grant is not JSON', cause })
  }
}
