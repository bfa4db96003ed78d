import { freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
import { signGrant } from '@hexachord/protocol/offers'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { DetailedError, Upload, type UploadOptions } from 'tus-js-client'
import { ApiError, type Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from '../writing/index.ts'
import { followUpload } from './follow-upload.ts'

/** One request carries this much: small enough to lose little on a bad connection. */
const chunkBytes = 4 << 20
const grantMs = 6 * 86_400_000
/** A token is signed anew when it has been used this long. */
const tokenFreshMs = 20 * 60_000

export type UploadSource = {
  readonly filename: string
  readonly byteLength: number
  /** Media type, if known. */
  readonly type?: string
  /** Tells this file from others when an upload is resumed: name, size and time of change will do. */
  readonly fingerprint: string
  /** A File in a browser; in Node `fs.createReadStream(path)` or a Buffer. */
  readonly open: () => Upload['file']
}

type Saved = { readonly subject: Subject; readonly node: string; readonly url: string }

/** Where a client keeps what it needs to resume after a restart. */
export type UploadMemory = {
  load(fingerprint: string): Promise<Saved | undefined>
  save(fingerprint: string, saved: Saved): Promise<void>
  forget(fingerprint: string): Promise<void>
}

export type Progress =
  | {
      readonly step: 'sending'
      readonly sentBytes: number
      readonly totalBytes: number
      readonly node: string
    }
  | { readonly step: 'node'; readonly upload: UploadAnswer; readonly node: string }

/** The node could not make a track of the file; `upload.problem` names the kind. */
export class UploadFailed extends Error {
  override readonly name = 'UploadFailed'
  readonly upload: UploadAnswer

  constructor(upload: UploadAnswer) {
    super(upload.reason ?? `the upload was ${upload.state}`)
    this.upload = upload
  }
}

/** Sends a file to a creator node and waits until it is cut, stored and held by other operators. The next
 * node is tried when one cannot take it. An interrupted upload of the same file goes on where it was, also
 * after a restart of client or node, when `memory` is given.
 * @param subject the track's name; a fresh one by default
 * @returns the upload in state `ready`: manifest and receipts for the publish action
 * @throws UploadFailed, ApiError */
export async function uploadTrack(
  connection: Connection,
  account: Account,
  source: UploadSource,
  options: {
    subject?: Subject
    memory?: UploadMemory
    signal?: AbortSignal
    onProgress?: (progress: Progress) => void
  } = {},
): Promise<UploadAnswer> {
  const fingerprint = `${account.address} ${source.fingerprint}`
  const saved = await options.memory?.load(fingerprint)
  const nodes = saved
    ? [saved.node, ...connection.creators.filter((node) => node !== saved.node)]
    : connection.creators
  const subject =
    options.subject ??
    saved?.subject ??
    subjectOf(
      account.address,
      freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
    )
  let last: Error = new ApiError('no creator node is known', { status: 0, url: '' })
  for (const node of nodes) {
    try {
      const url = await send(connection, account, source, {
        ...options,
        subject,
        node,
        resumeAt: saved?.node === node && saved.subject === subject ? saved.url : undefined,
        onUrl: (url) => options.memory?.save(fingerprint, { subject, node, url }) ?? Promise.resolve(),
      })
      const upload = await followUpload(connection, url, {
        ...(options.signal ? { signal: options.signal } : {}),
        onChange: (upload) => options.onProgress?.({ step: 'node', upload, node }),
      })
      await options.memory?.forget(fingerprint)
      if (upload.state !== 'ready') throw new UploadFailed(upload)
      return upload
    } catch (error) {
      // What one node says of the file itself, the next would say too.
      if (!(error instanceof ApiError) || options.signal?.aborted) throw error
      if ([400, 413, 415, 422].includes(error.status)) throw error
      last = error
    }
  }
  throw last
}

async function send(
  connection: Connection,
  account: Account,
  source: UploadSource,
  {
    node,
    subject,
    resumeAt,
    signal,
    onProgress,
    onUrl,
  }: {
    node: string
    subject: Subject
    resumeAt: string | undefined
    signal?: AbortSignal
    onProgress?: (progress: Progress) => void
    onUrl: (url: string) => Promise<void>
  },
): Promise<string> {
  const grant = await signGrant(account.signer, connection.domain, {
    subject,
    audience: node,
    byteLimit: byteLimitOf(source.byteLength),
    expiresAt: connection.now() + grantMs,
  })
  const authorization = freshToken(connection, account, node)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const upload: Upload = new Upload(source.open(), {
    endpoint: `${node}/uploads`,
    ...(resumeAt ? { uploadUrl: resumeAt } : {}),
    uploadSize: source.byteLength,
    chunkSize: chunkBytes,
    retryDelays: [300, 1000, 3000, 5000, 10_000, 20_000],
    storeFingerprintForResuming: false,
    metadata: {
      filename: source.filename,
      grant: JSON.stringify(grant),
      ...(source.type ? { filetype: source.type } : {}),
    },
    onBeforeRequest: async (request) => request.setHeader('Authorization', await authorization()),
    onProgress: (sentBytes, totalBytes) => onProgress?.({ step: 'sending', sentBytes, totalBytes, node }),
    onUploadUrlAvailable: () => {
      if (upload.url) onUrl(upload.url).catch(reject)
    },
    onShouldRetry: (error) => {
      const status = error.originalResponse?.getStatus() ?? 0
      return status === 0 || status === 423 || status >= 500
    },
    onSuccess: () => (upload.url ? resolve(upload.url) : reject(new Error('the node gave no upload URL'))),
    onError: (error) => reject(apiError(error, node)),
  } satisfies UploadOptions)
  const abort = () => {
    upload.abort().then(() => reject(signal?.reason), reject)
  }
  if (signal?.aborted) throw signal.reason
  signal?.addEventListener('abort', abort, { once: true })
  try {
    upload.start()
    return await promise
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** What all renditions of a source can weigh: lossless ones no more than the source, the AAC ladder (576 kbit/s
 * together) at most 20 times a thin source. */
function byteLimitOf(sourceBytes: number): number {
  return Math.min(20 * sourceBytes + (16 << 20), 8 * 2 ** 30)
}

function freshToken(connection: Connection, account: Account, node: string): () => Promise<string> {
  let token: { readonly header: Promise<string>; readonly at: number } | undefined
  return () => {
    if (token === undefined || connection.now() - token.at > tokenFreshMs) {
      token = { header: tokenFor(connection, account, node), at: connection.now() }
    }
    return token.header
  }
}

function apiError(error: Error | DetailedError, node: string): Error {
  const response = error instanceof DetailedError ? error.originalResponse : null
  if (!response) return new ApiError(`${node}: ${error.message}`, { status: 0, url: node, cause: error })
  const body = response.getBody() || ''
  let detail = body.slice(0, 300)
  try {
    const problem = JSON.parse(body)
    detail = problem.detail ?? problem.title ?? detail
  } catch (notJson) {
    if (!(notJson instanceof SyntaxError)) throw notJson
  }
  return new ApiError(detail || `${node} answers ${response.getStatus()}`, {
    status: response.getStatus(),
    url: node,
    cause: error,
  })
}
