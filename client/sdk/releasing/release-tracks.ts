import type { Address, Subject } from '@hexachord/protocol/names'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import pLimit from 'p-limit'
import { ApiError, type Connection, isGone } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { type PublishOptions, publishTrack, type TrackDetails } from '../publishing/index.ts'
import {
  checkPremium,
  memoryKey,
  NotPremium,
  type Progress,
  type SavedUpload,
  type UploadSource,
  type UploadTrackOptions,
  uploadTrack,
} from '../uploading/index.ts'
import { ActionRejected } from '../writing/index.ts'
import { assertAhead, type Scheduled, scheduledBefore, scheduleTrack } from './schedule-track.ts'

/** Files that are sent, and actions that are waited for, at a time. */
const defaultParallel = 3

export type ReleaseFile = {
  readonly source: UploadSource
  /** What is said of the track, once its node has looked into the file. Asked for one after the other. */
  readonly details: (upload: UploadAnswer) => TrackDetails | Promise<TrackDetails>
  /** Of a track that is replaced. @default a fresh one */
  readonly subject?: Subject | undefined
}

/** How one file of a release stands in the end. */
export type ReleasedFile =
  /** `before`: it was published by an earlier attempt, and nothing was done for it now. */
  | {
      readonly state: 'published'
      readonly track: Track
      readonly upload?: UploadAnswer
      readonly before: boolean
      readonly place: number | undefined
    }
  /** Its node holds it back until its time. `before`: an earlier attempt has seen to that. */
  | (Scheduled & {
      readonly state: 'scheduled'
      readonly subject: Subject
      readonly upload?: UploadAnswer
      readonly before: boolean
      readonly place: number | undefined
    })
  /** It waits at its node until all others are ready too. */
  | { readonly state: 'ready'; readonly upload: UploadAnswer }
  | { readonly state: 'failed'; readonly step: 'uploading' | 'publishing'; readonly error: unknown }

export type ReleaseOptions = Omit<UploadTrackOptions, 'subject' | 'onProgress'> &
  Omit<PublishOptions, 'onProgress' | 'signal'> & {
    /** Publishes nothing now: the node of each upload holds the signed action back until this time, in ms since 1970, at most
     * 30 days ahead. Nobody but that node and the operators that hold the audio know of it before; see `releaseAtMs` of
     * details for what is announced. Needs a memory. @default undefined */
    readonly holdUntilMs?: number | undefined
    /** Files that are sent at a time. @default 3 */
    readonly parallel?: number | undefined
    /** Publishes nothing before every file is ready. @default false: each as it is ready */
    readonly together?: boolean | undefined
    readonly onProgress?: ((file: number, progress: Progress) => void) | undefined
  }

type Ready = { readonly state: 'ready'; readonly upload: UploadAnswer }

/** Makes tracks of files: each is sent, made, held by other operators and published, several at a time. With a memory,
 * the same call after any interruption does only what is still to do, and nothing twice: a file that was published stays
 * published. What goes wrong with one file stands in its place of the answer and stops no other.
 * @returns one for each file, in their order
 * @throws only the signal's reason, and what is no fault of the network: a memory that fails, a user who says no */
export async function releaseTracks(
  connection: Connection,
  account: Account,
  files: readonly ReleaseFile[],
  options: ReleaseOptions = {},
): Promise<ReleasedFile[]> {
  const { parallel = defaultParallel, together = false } = options
  const sending = pLimit(parallel)
  const publishing = pLimit(parallel)
  const asking = pLimit(1)
  const release = (index: number): Release => ({
    ...{ connection, account, options, asking, index },
    file: files[index] as ReleaseFile,
  })
  const publish = (index: number, ready: ReleasedFile) =>
    ready.state === 'ready' ? publishing(() => publishReady(release(index), ready)) : ready
  const uploaded = await settleAll(
    files.map(async (_, index) => {
      const ready = await sending(() => prepare(release(index)))
      return together ? ready : publish(index, ready)
    }),
  )
  if (!together || uploaded.some(({ state }) => state === 'failed')) return uploaded
  return settleAll(uploaded.map((ready, index) => publish(index, ready)))
}

type Release = {
  readonly connection: Connection
  readonly account: Account
  readonly options: ReleaseOptions
  readonly asking: ReturnType<typeof pLimit>
  readonly file: ReleaseFile
  readonly index: number
}

/** Waits for all, so that nothing goes on in the background when one throws. */
async function settleAll<T>(works: readonly (T | Promise<T>)[]): Promise<T[]> {
  await Promise.allSettled(works)
  return Promise.all(works)
}

async function prepare(release: Release): Promise<ReleasedFile> {
  const { file, options } = release
  try {
    const before = (await publishedBefore(release)) ?? (await heldBefore(release))
    if (before) return before
    if (options.holdUntilMs !== undefined) assertAhead(release.connection, options.holdUntilMs)
    return { state: 'ready', upload: await upload(release, file.subject) }
  } catch (error) {
    if (options.signal?.aborted) throw error
    return { state: 'failed', step: 'uploading', error }
  }
}

function upload(release: Release, subject: Subject | undefined): Promise<UploadAnswer> {
  const { connection, account, file, options, index } = release
  const { memory, signal, patienceMs, keepOriginal, premium, invite, holdUntilMs, onProgress } = options
  return uploadTrack(connection, account, file.source, {
    ...{ memory, signal, patienceMs, keepOriginal, premium, invite, holdUntilMs, subject },
    onProgress: (progress) => onProgress?.(index, progress),
  })
}

/** What an earlier attempt has published, if it is still there; what was deleted since is forgotten. */
async function publishedBefore(release: Release): Promise<ReleasedFile | undefined> {
  const {
    connection,
    file: { subject },
    options: { memory, signal, premium },
  } = release
  const key = keyOf(release)
  const saved = await memory?.load(key)
  if (!saved?.published || (subject !== undefined && subject !== saved.subject)) return undefined
  try {
    const track = await findTrack(connection, saved.subject, signal ? { signal } : {})
    if (premium) await assertPremium(connection, track, premium.keyHolders, signal)
    return { state: 'published', track, before: true, place: saved.place }
  } catch (error) {
    if (!isGone(error) && !(error instanceof ApiError && error.status === 404)) throw error
    await memory?.forget(key)
    return undefined
  }
}

/** What an earlier attempt has had held back, as its node tells now. @throws WrongReleaseTime, ActionRejected, ApiError */
async function heldBefore(release: Release): Promise<ReleasedFile | undefined> {
  const { connection, account, file, options } = release
  const saved = await options.memory?.load(keyOf(release))
  if (!saved?.held || (file.subject !== undefined && file.subject !== saved.subject)) return undefined
  const { subject, place, held } = saved
  const asked = options.holdUntilMs
  try {
    const found = await scheduledBefore(connection, account, held, { asked, subject, signal: options.signal })
    if (found === undefined) return undefined
    if ('release' in found) return { state: 'scheduled', ...found, subject, before: true, place }
    await noteIn(release, { held: undefined, published: true })
    return { state: 'published', track: found, before: true, place }
  } catch (error) {
    // The next attempt signs another one.
    if (error instanceof ActionRejected) await noteIn(release, { held: undefined })
    throw error
  }
}

/** It may have been replaced since. @throws NotPremium */
async function assertPremium(
  connection: Connection,
  track: Track,
  keyHolders: readonly Address[] | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await checkPremium(connection, track, { keyHolders }, { signal })
  } catch (cause) {
    if (!(cause instanceof NotPremium)) throw cause
    throw new NotPremium(
      `the file was published before as ${track.id}, which is not the premium track that is asked for: ${cause.message}. What was free stays so, and other key holders need another upload: publish the file as a new track`,
      { cause },
    )
  }
}

async function publishReady(release: Release, ready: Ready): Promise<ReleasedFile> {
  const { file, options, asking } = release
  const details = await asking(() => file.details(ready.upload))
  const step = options.holdUntilMs === undefined ? publishNow : schedule
  try {
    return await step(release, ready, details)
  } catch (error) {
    if (options.signal?.aborted) throw error
    return { state: 'failed', step: 'publishing', error }
  }
}

async function publishNow(
  release: Release,
  { upload: ready }: Ready,
  details: TrackDetails,
): Promise<ReleasedFile> {
  const { connection, account, options, index } = release
  const { memory, signal, onProgress, payer, until, timeoutMs, onSent, onStatus } = options
  const place = placeOf(ready)
  const saved = await memory?.load(keyOf(release))
  const track = await publishTrack(connection, account, ready, details, {
    ...{ signal, payer, until, timeoutMs, onSent, onStatus },
    signed: saved?.subject === ready.subject ? saved.signed : undefined,
    onSigned: (signed) => noteIn(release, { place, signed }),
    // Without a memory it would be another upload.
    renew: memory && (() => upload(release, ready.subject)),
    onProgress: (progress) => onProgress?.(index, progress),
  })
  await noteIn(release, { place, signed: undefined, held: undefined, published: true })
  return { state: 'published', track, upload: ready, before: false, place }
}

async function schedule(
  release: Release,
  { upload: ready }: Ready,
  details: TrackDetails,
): Promise<ReleasedFile> {
  const { connection, account, options } = release
  const { memory, signal, holdUntilMs } = options
  if (memory === undefined || holdUntilMs === undefined) throw new TypeError('a release needs a memory')
  const [place, { subject }] = [placeOf(ready), ready]
  const saved = () => memory.load(keyOf(release))
  const found = await scheduleTrack(connection, account, ready, details, {
    ...{ holdUntilMs, signal, held: (await saved())?.held },
    node: async () => (await saved())?.node ?? '',
    onSigned: (held) => noteIn(release, { place, held, signed: undefined }),
    renew: () => upload(release, subject),
  })
  if ('release' in found) {
    return { state: 'scheduled', ...found, subject, upload: ready, before: false, place }
  }
  await noteIn(release, { place, held: undefined, published: true })
  return { state: 'published', track: found, upload: ready, before: true, place }
}

function keyOf({ account, file: { source }, options: { premium } }: Release): string {
  return memoryKey(account, source, { premium: premium !== undefined })
}

async function noteIn(release: Release, changes: Partial<SavedUpload>): Promise<void> {
  const { memory } = release.options
  const key = keyOf(release)
  const now = await memory?.load(key)
  if (now) await memory?.save(key, { ...now, ...changes })
}

/** By disc, then by number. */
function placeOf({ tags }: UploadAnswer): number | undefined {
  return tags?.number === undefined ? undefined : (tags.disc ?? 1) * 10_000 + tags.number
}
