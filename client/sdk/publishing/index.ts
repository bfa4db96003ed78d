import { ActionError, kinds } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { Hash, Subject } from '@hexachord/protocol/names'
import type { ActionStatus, Track, UploadAnswer } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { waitForAction, writeAction } from '../writing/index.ts'

/** What the artist says of a track. Said once, it is public for ever. */
export type TrackDetails = {
  readonly title: string
  readonly artist: string
  readonly album?: string
  readonly genre?: string
  readonly mood?: string
  readonly tags?: readonly string[]
  readonly description?: string
  readonly isrc?: string
  /** SPDX identifier such as `CC-BY-4.0`, or `all-rights-reserved`. */
  readonly licence: string
  /** The artist's own word, given for each track. */
  readonly rightsHeld: true
  readonly unlisted?: boolean
}

/** To be shown before anything is published. */
export const publishingNotice =
  'What you publish is public for ever: title, artist and the name of the audio stay on the chain, and others may have ' +
  'copied the audio. Deleting ends listings and the duty of operators to hold it; it cannot reach copies of others.'

/** Checks the form of details before any work is done for them: lengths, licence, control characters.
 * @throws ActionError with the name of the field */
export function assertPublishable(details: TrackDetails): void {
  const result = kinds.track.schema.safeParse(details)
  // What the upload itself will add is missing here.
  const issue = result.error?.issues.find(({ path }) => String(path[0]) in details)
  if (issue) throw new ActionError(`${issue.path.join('.')}: ${issue.message}`)
}

/** Publishes an upload as a track and waits until it can be found. Publishing over an existing track replaces
 * its audio and details; name, links and plays stay. What is published already is not published again, so that
 * it can be repeated after a crash.
 * @returns the track as discovery has it
 * @throws ActionRejected, ApiError */
export async function publishTrack(
  connection: Connection,
  account: Account,
  upload: UploadAnswer,
  details: TrackDetails,
  options: {
    signal?: AbortSignal
    onSent?: (hash: Hash) => void
    onStatus?: (status: ActionStatus) => void
  } = {},
): Promise<Track> {
  if (upload.track === null) throw new TypeError('only an upload that is ready can be published')
  const before = await currentTrack(connection, upload.subject, options)
  if (before && before.manifest === upload.track.manifest && saysTheSame(before, details)) return before
  const content: Json = {
    prev: before?.last.digest ?? null,
    ...upload.track,
    receipts: upload.receipts.map(({ operator, blockNumber, validUntil, signature }) => ({
      operator,
      blockNumber,
      validUntil,
      signature,
    })),
    ...details,
  }
  const hash = await writeAction(
    connection,
    account,
    { kind: 'track', subject: upload.subject, content },
    options,
  )
  options.onSent?.(hash)
  await waitForAction(connection, hash, options)
  return findTrack(connection, upload.subject, options)
}

function saysTheSame(track: Track, details: TrackDetails): boolean {
  const text = ['title', 'artist', 'album', 'genre', 'mood', 'description', 'isrc', 'licence'] as const
  return (
    text.every((name) => (track[name] ?? '') === (details[name] ?? '')) &&
    track.tags.join('\n') === (details.tags ?? []).join('\n') &&
    track.unlisted === (details.unlisted ?? false)
  )
}

async function currentTrack(
  connection: Connection,
  subject: Subject,
  options: { signal?: AbortSignal },
): Promise<Track | undefined> {
  try {
    return await findTrack(connection, subject, options)
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}
