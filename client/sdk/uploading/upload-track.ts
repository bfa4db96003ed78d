import { freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
import { signGrant } from '@hexachord/protocol/offers'
import { type UploadAnswer, uploadAnswerSchema } from '@hexachord/protocol/rest'
import {
  ApiError,
  type Connection,
  defaultPatienceMs,
  noAnswer,
  patiently,
  readJson,
} from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { followUpload } from './follow-upload.ts'
import { memoryKey, type UploadMemory } from './memory.ts'
import { sendFile } from './send-file.ts'
import type { UploadSource } from './source.ts'

/** Less than the longest life of a grant, for clocks that differ. */
const grantMs = 6 * 86_400_000

/** What a node finds wrong with a file, every other node would find too. */
const problemsOfFiles = [
  'emptyFile',
  'notAudio',
  'noAudio',
  'truncated',
  'tooLong',
  'tooLarge',
  'undecodable',
]

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

export type UploadTrackOptions = {
  /** The track's name. @default a fresh one, or that of the upload which is resumed */
  readonly subject?: Subject
  /** Lets an interrupted upload of the same file go on where it was, also after a restart of the client. An upload
   * stays in it until `forgetUpload` is called, so that nothing is lost between here and publishing. */
  readonly memory?: UploadMemory
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** How long a node that has begun may be away before the next one is asked. @default two minutes */
  readonly patienceMs?: number
}

/** Sends a file to a creator node and waits until it is cut, stored and held by other operators. The next
 * node is tried when one cannot take it, stays away or fails half-way.
 * @returns the upload in state `ready`: manifest and receipts for the publish action
 * @throws UploadFailed when the file is no good, ApiError of the last node, and the signal's reason */
export async function uploadTrack(
  connection: Connection,
  account: Account,
  source: UploadSource,
  options: UploadTrackOptions = {},
): Promise<UploadAnswer> {
  const key = memoryKey(account, source)
  const saved = await options.memory?.load(key)
  const subject = options.subject ?? saved?.subject ?? freshSubject(account)
  const resumable = saved?.subject === subject ? saved : undefined
  const nodes = new Set([...(resumable ? [resumable.node] : []), ...connection.creators])
  let last: Error = noAnswer('', 'no creator node is known')
  for (const node of nodes) {
    try {
      const upload = await uploadAt(connection, account, source, {
        ...options,
        subject,
        node,
        resumeAt: resumable?.node === node ? resumable.url : undefined,
      })
      if (upload.state === 'ready') return upload
      await options.memory?.forget(key)
      last = new UploadFailed(upload)
      if (upload.state === 'cancelled' || problemsOfFiles.includes(upload.problem ?? '')) throw last
    } catch (error) {
      if (!(error instanceof ApiError) || options.signal?.aborted) throw error
      // What one node says of the request itself, the next would say too; limits are each node's own.
      if ([400, 415, 422].includes(error.status)) throw error
      last = error
    }
  }
  throw last
}

async function uploadAt(
  connection: Connection,
  account: Account,
  source: UploadSource,
  options: UploadTrackOptions & { subject: Subject; node: string; resumeAt: string | undefined },
): Promise<UploadAnswer> {
  const { node, resumeAt, patienceMs = defaultPatienceMs, signal } = options
  const known = resumeAt ? await stateOf(connection, resumeAt, { signal, patienceMs }) : undefined
  const url =
    resumeAt && known && known.state !== 'receiving'
      ? resumeAt
      : await send(connection, account, source, { ...options, resumeAt: known && resumeAt })
  return followUpload(connection, url, {
    patienceMs,
    onChange: (upload) => options.onProgress?.({ step: 'node', upload, node }),
    ...(signal ? { signal } : {}),
  })
}

/** @returns undefined when the node has forgotten the upload */
async function stateOf(
  { http }: Connection,
  url: string,
  { signal, patienceMs }: { signal: AbortSignal | undefined; patienceMs: number },
): Promise<UploadAnswer | undefined> {
  try {
    return await patiently(() => readJson(http, url, uploadAnswerSchema, signal ? { signal } : {}), {
      signal,
      patienceMs: () => patienceMs,
    })
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 410)) return undefined
    throw error
  }
}

async function send(
  connection: Connection,
  account: Account,
  source: UploadSource,
  options: UploadTrackOptions & { subject: Subject; node: string; resumeAt: string | undefined },
): Promise<string> {
  const { node, subject, memory, resumeAt, signal, patienceMs = defaultPatienceMs } = options
  const { filename, content } = source
  const totalBytes = content.size
  const grant = await signGrant(account.signer, connection.domain, {
    subject,
    audience: node,
    byteLimit: byteLimitOf(totalBytes),
    expiresAt: connection.now() + grantMs,
  })
  return sendFile(connection, account, source, {
    node,
    metadata: {
      filename,
      grant: JSON.stringify(grant),
      ...(content.type ? { filetype: content.type } : {}),
    },
    resumeAt,
    signal,
    patienceMs,
    onProgress: (sentBytes) => options.onProgress?.({ step: 'sending', sentBytes, totalBytes, node }),
    onUrl: async (url) => memory?.save(memoryKey(account, source), { subject, node, url }),
  })
}

/** What all renditions of a source can weigh: lossless ones no more than the source, the AAC ladder (576 kbit/s
 * together) at most 20 times a thin source. */
function byteLimitOf(sourceBytes: number): number {
  return Math.min(20 * sourceBytes + (16 << 20), 8 * 2 ** 30)
}

function freshSubject({ address }: Account): Subject {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  return subjectOf(address, number)
}
