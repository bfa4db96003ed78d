import { freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
import { signGrant } from '@hexachord/protocol/offers'
import { type PremiumUpload, type UploadAnswer, uploadAnswerSchema } from '@hexachord/protocol/rest'
import {
  ApiError,
  type Connection,
  defaultPatienceMs,
  noAnswer,
  patiently,
  readJson,
} from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { leave } from './cancel-upload.ts'
import { followUpload } from './follow-upload.ts'
import { withInvite } from './invites.ts'
import { leftKey, memoryKey, type SavedUpload, type UploadMemory } from './memory.ts'
import { nodeProgress, type UploadProgress } from './progress.ts'
import { rankCreators } from './rank-creators.ts'
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
  'notATrack',
]

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
  readonly subject?: Subject | undefined
  /** Lets an interrupted upload of the same file go on where it was, also after a restart of the client. An upload
   * stays in it until `forgetUpload` is called, so that nothing is lost between here and publishing. */
  readonly memory?: UploadMemory | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined
  /** How long a node that has begun may be away before the next one is asked. @default two minutes */
  readonly patienceMs?: number | undefined
  /** Makes the file itself a part of the track, for whoever wants it as it was made. @default false */
  readonly keepOriginal?: boolean | undefined
  /** Makes a premium track, which opens with keys only: see `premiumUploads`. Not together with `keepOriginal`. */
  readonly premium?: ((node: string, track: Subject) => Promise<PremiumUpload>) | undefined
  /** Given to a node that takes only whom it has invited. */
  readonly invite?: string | undefined
}

type Task = UploadTrackOptions & {
  readonly connection: Connection
  readonly account: Account
  readonly source: UploadSource
  readonly subject: Subject
}

/** Sends a file to a creator node and waits until it is cut, stored and held by other operators. Of several nodes the
 * one is chosen that has room and the least to do; the next one takes over, under the same track id and from the
 * first byte on, when one cannot take it, stays away or fails half-way. What the first one has is given up then.
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
  const task: Task = { ...options, connection, account, source, subject }
  const places = trackPlaces(task, resumable)
  let last: Error | undefined
  try {
    for await (const node of nodesInTurn(task, resumable)) {
      if (last) options.onProgress?.({ step: 'moving', node, reason: last.message })
      try {
        const upload = await uploadAt(node, task, places)
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
    throw last ?? noAnswer('', 'no creator node is known')
  } finally {
    await places.close()
  }
}

/** The node that has begun, if there is one, then the others by how fit they are. They are asked only when needed. */
async function* nodesInTurn(
  { connection, source, signal }: Task,
  begun: SavedUpload | undefined,
): AsyncGenerator<string> {
  if (begun) yield begun.node
  const others = connection.creators.filter((origin) => origin !== begun?.node)
  if (others.length < 2) return yield* others
  const ranked = await rankCreators(connection, others, { byteLength: source.content.size, signal })
  yield* ranked.map(({ origin }) => origin)
}

/** Keeps in mind where the upload is, and gives up what another node has taken over, as soon as its node is back. */
function trackPlaces(task: Task, begun: SavedUpload | undefined) {
  const { connection, account, source, subject, memory } = task
  const { filename } = source
  const closing = new AbortController()
  const leaving: Promise<unknown>[] = []
  let latest: { readonly node: string; readonly url: string } | undefined = begun
  return {
    urlAt: (node: string) => (latest?.node === node ? latest.url : undefined),
    async moveTo(node: string, url: string): Promise<void> {
      await memory?.save(memoryKey(account, source), { subject, node, url, filename })
      if (latest && latest.node !== node) {
        const { node: from, url: leftUrl } = latest
        await memory?.save(leftKey(leftUrl), { subject, node: from, url: leftUrl, filename, left: true })
        const patience = { signal: closing.signal, patienceMs: Number.POSITIVE_INFINITY }
        leaving.push(leave(connection, account, memory, leftUrl, patience).catch(() => false))
      }
      latest = { node, url }
    },
    async close(): Promise<void> {
      closing.abort()
      await Promise.all(leaving)
    },
  }
}

type Places = ReturnType<typeof trackPlaces>

async function uploadAt(node: string, task: Task, places: Places): Promise<UploadAnswer> {
  const { connection, patienceMs = defaultPatienceMs, signal, onProgress } = task
  const resumeAt = places.urlAt(node)
  const known = resumeAt ? await stateOf(connection, resumeAt, { signal, patienceMs }) : undefined
  const url =
    resumeAt && known && known.state !== 'receiving'
      ? resumeAt
      : await withInvite({ ...task, node }, () => send(node, task, places, known && resumeAt))
  return followUpload(connection, url, {
    patienceMs,
    onChange: (upload) => onProgress?.(nodeProgress(upload, node)),
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

async function send(node: string, task: Task, places: Places, resumeAt: string | undefined): Promise<string> {
  const { connection, account, source, subject, signal, patienceMs = defaultPatienceMs } = task
  const { filename, content } = source
  const totalBytes = content.size
  const grant = await signGrant(account.signer, connection.domain, {
    subject,
    audience: node,
    byteLimit: byteLimitOf(totalBytes, task.keepOriginal ?? false),
    expiresAt: connection.now() + grantMs,
  })
  const premium = resumeAt === undefined ? await task.premium?.(node, subject) : undefined
  const sha256 = resumeAt === undefined ? await source.sha256?.(signal) : undefined
  return sendFile(connection, account, source, {
    node,
    metadata: {
      filename,
      grant: JSON.stringify(grant),
      ...(content.type ? { filetype: content.type } : {}),
      ...(sha256 ? { sha256 } : {}),
      ...(premium ? { premium: JSON.stringify(premium) } : {}),
      ...(task.keepOriginal ? { keepOriginal: 'true' } : {}),
    },
    resumeAt,
    signal,
    patienceMs,
    onProgress: (sentBytes) => task.onProgress?.({ step: 'sending', sentBytes, totalBytes, node }),
    onUrl: (url) => places.moveTo(node, url),
  })
}

/** What all renditions of a source can weigh: lossless ones no more than the source, the AAC ladder (576 kbit/s
 * together) at most 20 times a thin source. */
function byteLimitOf(sourceBytes: number, keepOriginal: boolean): number {
  return Math.min((keepOriginal ? 21 : 20) * sourceBytes + (16 << 20), 8 * 2 ** 30)
}

function freshSubject({ address }: Account): Subject {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  return subjectOf(address, number)
}
