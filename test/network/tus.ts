import type { Subject } from '@hexachord/protocol/names'
import { freshNumber, subjectOf } from '@hexachord/protocol/names'
import { signGrant } from '@hexachord/protocol/offers'
import type { Artist } from './artist.ts'

/** tus by hand, for requests that our client would never send. */
export type TusRequest = {
  authorization?: string | undefined
  byteLength?: number | string
  metadata?: Record<string, string>
  headers?: Record<string, string>
}

export function newSubject({ account }: Pick<Artist, 'account'>): Subject {
  return subjectOf(
    account.address,
    freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
  )
}

/** An author's grant as it stands in `Upload-Metadata`. */
export async function grantFor(
  { account, connection }: Pick<Artist, 'account' | 'connection'>,
  node: string,
  changes: Partial<{ subject: Subject; audience: string; byteLimit: number; expiresAt: number }> = {},
): Promise<string> {
  const grant = await signGrant(account.signer, connection.domain, {
    subject: newSubject({ account }),
    audience: node,
    byteLimit: 50_000_000,
    expiresAt: Date.now() + 3_600_000,
    ...changes,
  })
  return JSON.stringify(grant)
}

/** `POST /uploads` */
export function createUpload(node: string, request: TusRequest): Promise<Response> {
  const { authorization, byteLength = 1000, metadata = {}, headers = {} } = request
  const pairs = Object.entries(metadata).map(
    ([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`,
  )
  return fetch(`${node}/uploads`, {
    method: 'POST',
    headers: {
      'tus-resumable': '1.0.0',
      'upload-length': String(byteLength),
      'upload-metadata': pairs.join(','),
      ...(authorization === undefined ? {} : { authorization }),
      ...headers,
    },
    signal: AbortSignal.timeout(15_000),
  })
}

/** `PATCH` of an upload's URL. */
export function sendBytes(
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  { authorization, offset = 0 }: { authorization?: string; offset?: number },
): Promise<Response> {
  return fetch(url, {
    method: 'PATCH',
    headers: {
      'tus-resumable': '1.0.0',
      'upload-offset': String(offset),
      'content-type': 'application/offset+octet-stream',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: bytes,
    signal: AbortSignal.timeout(15_000),
  })
}
