import type { SignedAction } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { Hash, Subject } from '@hexachord/protocol/names'
import type { ActionStatus, Track, UploadAnswer } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import type { PublishProgress } from '../uploading/index.ts'
import { ActionRejected, signNewAction } from '../writing/index.ts'
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
}

/** Publishes an upload as a track and waits until it can be found. Publishing over an existing track replaces
 * its audio and details; name, links and plays stay. What is published already is not published again, so that
 * it can be repeated after a crash.
 * @returns the track as discovery has it
 * @throws ActionRejected, NotRelayed, ApiError */
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
  const content: Json = {
    prev: before?.last.digest ?? null,
    ...made,
    receipts: upload.receipts.map(({ operator, blockNumber, validUntil, signature }) => ({
      operator,
      blockNumber,
      validUntil,
      signature,
    })),
    ...details,
  }
  const { signed } = await signNewAction(connection, account, { kind: 'track', subject, content })
  await options.onSigned?.(signed)
  return settleAndRead(connection, account, signed, read, options)
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
