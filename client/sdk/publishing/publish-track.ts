import type { SignedAction } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { Hash, Subject } from '@hexachord/protocol/names'
import type { ActionStatus, Track, UploadAnswer } from '@hexachord/protocol/rest'
import { ApiError, type Connection, pause } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import type { PublishProgress } from '../uploading/index.ts'
import { ActionRejected, signNewAction } from '../writing/index.ts'
import { receiptsOutdated } from './receipts-outdated.ts'
import { type SettleAndReadOptions, settleAndRead } from './settle-and-read.ts'
import { saysTheSame, type TrackDetails } from './track-details.ts'

export type PublishOptions = SettleAndReadOptions & {
  readonly onSent?: ((hash: Hash) => void) | undefined
  readonly onStatus?: ((status: ActionStatus) => void) | undefined
  /** The same as the steps of an upload. */
  readonly onProgress?: ((progress: PublishProgress) => void) | undefined
}

export type PublishTrackOptions = PublishOptions & {
  /** What an earlier attempt had signed: it is sent again, rather than a second one beside it. */
  readonly signed?: SignedAction | undefined
  /** Awaited before anything is sent. */
  readonly onSigned?: ((signed: SignedAction) => Promise<void>) | undefined
  /** Follows the upload until it is ready, again: called when its receipts do not count any more. */
  readonly renew?: (() => Promise<UploadAnswer>) | undefined
}

/** Before the upload is looked at again: its node may see a moment later than others who has left. */
const renewPauseMs = 1_000
const maximumRenewals = 10

/** Publishes an upload as a track and waits until it can be found. Publishing over an existing track replaces
 * its audio and details; name, links and plays stay. What is published already is not published again, so that
 * it can be repeated after a crash.
 * @returns the track as discovery has it
 * @throws ReceiptsOutdated, ActionRejected, NotRelayed, ApiError */
export async function publishTrack(
  connection: Connection,
  account: Account,
  upload: UploadAnswer,
  details: TrackDetails,
  options: PublishTrackOptions = {},
): Promise<Track> {
  const { subject, track: made } = upload
  if (made === null) throw new TypeError('only an upload that is ready can be published')
  const read = () => currentTrack(connection, subject, options)
  if (options.signed) await settleEarlier(connection, account, options.signed, read, options)
  const before = await read()
  if (before && before.manifest === made.manifest && saysTheSame(before, details)) return before
  let ready = upload
  for (let renewals = 0; ; renewals++) {
    try {
      return await publishOnce(connection, account, contentOf(ready, before, details), subject, read, options)
    } catch (error) {
      const outdated = receiptsOutdated(error)
      if (outdated === undefined) throw error
      if (options.renew === undefined || renewals === maximumRenewals) throw outdated
      await pause(renewPauseMs, options.signal)
      ready = await options.renew()
    }
  }
}

/** What the action says that publishes an upload. @param before what stands under its name */
export function contentOf(
  { track, receipts }: UploadAnswer,
  before: Track | undefined,
  details: TrackDetails,
): Json {
  return {
    prev: before?.last.digest ?? null,
    ...track,
    // Other words about the same audio need none, and those from then may count no more.
    receipts: hasSameAudio(before, track) ? [] : receipts.map(inAction),
    ...details,
  }
}

async function publishOnce(
  connection: Connection,
  account: Account,
  content: Json,
  subject: Subject,
  read: () => Promise<Track | undefined>,
  options: PublishTrackOptions,
): Promise<Track> {
  const { signed } = await signNewAction(connection, account, { kind: 'track', subject, content })
  await options.onSigned?.(signed)
  return settleAndRead(connection, account, signed, read, options)
}

function hasSameAudio(before: Track | undefined, made: UploadAnswer['track']): boolean {
  if (before === undefined || made === null) return false
  const [then, now] = [audioOf(before), audioOf(made)]
  return (Object.keys(then) as (keyof typeof then)[]).every((name) => then[name] === now[name])
}

/** What an action says of the audio: as long as that stays the same, nobody signs for it again. */
export function audioOf({
  manifest,
  storageRoot,
  leafCount,
  byteLength,
  durationMs,
}: NonNullable<UploadAnswer['track']>) {
  return { manifest, storageRoot, leafCount, byteLength, durationMs }
}

function inAction({ operator, blockNumber, validUntil, signature }: UploadAnswer['receipts'][number]) {
  return { operator, blockNumber, validUntil, signature }
}

/** One that the network refuses by now, such as for receipts that have expired, is past: another one may follow. */
async function settleEarlier(
  connection: Connection,
  account: Account,
  signed: SignedAction,
  read: () => Promise<Track | undefined>,
  options: PublishTrackOptions,
): Promise<void> {
  try {
    await settleAndRead(connection, account, signed, read, options)
  } catch (error) {
    const refused = error instanceof ApiError && [400, 409, 422].includes(error.status)
    if (!refused && !(error instanceof ActionRejected)) throw error
  }
}

/** @returns undefined when there is none under this name */
export async function currentTrack(
  connection: Connection,
  subject: Subject,
  { signal }: { signal?: AbortSignal | undefined },
): Promise<Track | undefined> {
  try {
    return await findTrack(connection, subject, signal ? { signal } : {})
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}
