import { type Address, freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
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
import { abandonUpload, cancelUpload, leave } from './cancel-upload.ts'
import { checkPremium, isSameList, NotPremium } from './check-premium.ts'
import { followUpload } from './follow-upload.ts'
import { withInvite } from './invites.ts'
import { leftKey, memoryKey, type SavedUpload, type UploadMemory } from './memory.ts'
import { nodeProgress, type UploadProgress } from './progress.ts'
import { rankCreators } from './rank-creators.ts'
import { sendFile } from './send-file.ts'
import type { UploadSource } from './source.ts'

/** So long operators hold what is not published, or not after its release. Less than they would, for clocks that differ. */
export const grantMs = 6 * 86_400_000

/** Whoever puts a release off by a little needs no other upload. */
const leastAfterReleaseMs = 2 * 86_400_000

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

/** Makes uploads premium tracks: see `premiumUploads`. */
export type PremiumUploads = {
  /** Who gives out keys. @default operators that can, chosen as an upload begins */
  readonly keyHolders?: readonly Address[] | undefined
  readonly clearMs: number
  /** What goes with the upload of a track to a node. @param keyHolders of the attempt that it goes on with */
  readonly toNode: (
    node: string,
    track: Subject,
    keyHolders: readonly Address[] | undefined,
  ) => Promise<PremiumUpload>
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
  /** Makes a premium track, which opens with keys only: see `premiumUploads`. Not together with `keepOriginal`. It never
   * goes on with an upload of the same file in the clear, and what the node has made is looked at before it is returned. */
  readonly premium?: PremiumUploads | undefined
  /** Given to a node that takes only whom it has invited. */
  readonly invite?: string | undefined
  /** Has operators hold the track until this time, in ms since 1970, and as long after it as usual: see `releaseTracks`. */
  readonly holdUntilMs?: number | undefined
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
 * @throws UploadFailed when the file is no good, NotPremium when the node made another track than was asked for, ApiError
 * of the last node, and the signal's reason */
export async function uploadTrack(
  connection: Connection,
  account: Account,
  source: UploadSource,
  options: UploadTrackOptions = {},
): Promise<UploadAnswer> {
  const { premium } = options
  const key = memoryKey(account, source, { premium: premium !== undefined })
  const saved = await options.memory?.load(key)
  const begun = saved !== undefined && isAsAsked(saved, premium) ? saved : undefined
  const subject = options.subject ?? begun?.subject ?? freshSubject(account)
  const named = begun?.subject === subject ? begun : undefined
  // With another grant it is another upload, of which the same node needs no byte.
  const resumable = named && isHeldLongEnough(named, options) ? named : undefined
  const task: Task = { ...options, connection, account, source, subject }
  const places = trackPlaces(task, resumable)
  let last: Error | undefined
  try {
    for await (const node of nodesInTurn(task, named)) {
      if (last) options.onProgress?.({ step: 'moving', node, reason: last.message })
      try {
        const upload = await uploadAt(node, task, places)
        if (upload.state === 'ready') {
          await checkMade(task, upload, { node, begun: places.premium() })
          return upload
        }
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

/** Whether an upload that was begun becomes what is asked for now. */
function isAsAsked({ premium: begun }: SavedUpload, asked: PremiumUploads | undefined): boolean {
  if (begun === undefined || asked === undefined) return begun === asked
  const { keyHolders = begun.keyHolders, clearMs } = asked
  return isSameList(keyHolders, begun.keyHolders) && clearMs === begun.clearMs
}

function isHeldLongEnough({ grantUntilMs = 0 }: SavedUpload, { holdUntilMs }: UploadTrackOptions): boolean {
  return holdUntilMs === undefined || grantUntilMs >= holdUntilMs + leastAfterReleaseMs
}

/** A node that made another track than was asked for gives it up again. @throws NotPremium, RetrievalFailed */
async function checkMade(
  { connection, account, source, premium, memory, signal }: Task,
  upload: UploadAnswer,
  { node, begun }: { node: string; begun: SavedUpload['premium'] },
): Promise<void> {
  if (premium === undefined) return
  const manifest = upload.track?.manifest ?? ''
  try {
    if (begun === undefined) throw new NotPremium('nobody knows who was to have its keys')
    await checkPremium(connection, { manifest, holders: [{ endpoint: node }] }, begun, { signal })
  } catch (cause) {
    if (!(cause instanceof NotPremium)) throw cause
    const key = memoryKey(account, source, { premium: true })
    const cancelled = memory
      ? abandonUpload(connection, account, memory, key, { signal })
      : cancelUpload(connection, account, `${node}/uploads/${upload.id}`, { signal })
    await cancelled.catch(() => undefined)
    throw new NotPremium(
      `what ${node} has made of ${source.filename} is not the premium track that was asked for: ${cause.message}. Nothing was signed, and the upload is given up: try again, by another creator node`,
      { cause },
    )
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
  let premium = begun?.premium
  return {
    urlAt: (node: string) => (latest?.node === node ? latest.url : undefined),
    /** How the track was begun. */
    premium: () => premium,
    async moveTo(
      node: string,
      url: string,
      begunAs: Pick<SavedUpload, 'premium' | 'grantUntilMs'>,
    ): Promise<void> {
      const asked = begunAs.premium
      const key = memoryKey(account, source, { premium: asked !== undefined })
      const before = await memory?.load(key)
      // A node that holds back an action of the track does so whatever becomes of the upload.
      const held = before?.subject === subject ? before.held : undefined
      await memory?.save(key, { subject, node, url, filename, ...begunAs, ...(held && { held }) })
      premium = asked
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
    expiresAt: Math.max(connection.now(), task.holdUntilMs ?? 0) + grantMs,
  })
  // Also for one that is gone on with: a node that has forgotten it meanwhile begins it anew.
  const premium = await task.premium?.toNode(node, subject, places.premium()?.keyHolders)
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
    onUrl: (url) =>
      places.moveTo(node, url, {
        ...(premium && { premium: begunBy(premium) }),
        ...(task.holdUntilMs !== undefined && { grantUntilMs: grant.expiresAt }),
      }),
  })
}

function begunBy({ keyHolders, clearMs }: PremiumUpload): SavedUpload['premium'] {
  return { keyHolders, clearMs }
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
