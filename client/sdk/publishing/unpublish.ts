import type { Hash, Subject } from '@hexachord/protocol/names'
import type { Playlist, Track } from '@hexachord/protocol/rest'
import { type Connection, isGone } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { settleAction, signNewAction } from '../writing/index.ts'
import type { PublishOptions } from './publish-track.ts'
import { currentTrack } from './publish-track.ts'

/** To be shown before anything is unpublished. */
export const unpublishingNotice =
  'Unpublishing ends listings and plays by the network: no operator makes new copies, and those that hold it let go of it ' +
  'after a grace time. It cannot reach copies that others have made, nor what stands on the chain: the title, the artist ' +
  'and the name of the audio. The track id is gone for ever; nothing else can be published under it.'

/** Deletes a track or a playlist. Its number is a tombstone for ever.
 * @returns the hash of the action, or undefined when it was deleted already
 * @throws ActionRejected (`notAuthorised` when it is not the account's), NotRelayed, ApiError (404 for none; 410 when the
 * provider has taken it down: ask another one) */
export async function unpublish(
  connection: Connection,
  account: Account,
  subject: Subject,
  options: PublishOptions = {},
): Promise<Hash | undefined> {
  try {
    const { last } = await entityOf(connection, subject, options.signal)
    const content = { prev: last.digest }
    const { signed } = await signNewAction(connection, account, { kind: 'delete', subject, content })
    const { hash } = await settleAction(connection, account, signed, options)
    return hash
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

async function entityOf(
  connection: Connection,
  subject: Subject,
  signal: AbortSignal | undefined,
): Promise<Track | Playlist> {
  const options = signal ? { signal } : {}
  return (await currentTrack(connection, subject, options)) ?? findPlaylist(connection, subject, options)
}
