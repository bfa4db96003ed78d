import { ActionError, maximumPlaylistTracks, type playlistSteps } from '@hexachord/protocol/actions'
import type { Hash, Subject } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { signNewAction } from '../writing/index.ts'
import { type SettleAndReadOptions, settleAndRead } from './settle-and-read.ts'

type Contents = ReturnType<typeof playlistSteps>

/** Writes contents of a playlist one after the other, each upon what the one before has made.
 * @param prev digest of its last action; null for a new one
 * @returns the playlist as discovery has it then; undefined where there is nothing to write
 * @throws ActionError, ActionRejected, NotRelayed, ApiError */
export async function writePlaylist(
  connection: Connection,
  account: Account,
  { subject, prev, contents }: { subject: Subject; prev: Hash | null; contents: Contents },
  options: SettleAndReadOptions,
): Promise<Playlist | undefined> {
  const read = () => currentPlaylist(connection, subject, options)
  let playlist: Playlist | undefined
  for (const said of contents) {
    const content = { prev: playlist?.last.digest ?? prev, ...said }
    const { signed } = await signNewAction(connection, account, { kind: 'playlist', subject, content })
    playlist = await settleAndRead(connection, account, signed, read, options)
  }
  return playlist
}

/** Told before the first of several actions is signed. @throws ActionError */
export function assertFits(tracks: readonly Subject[]): void {
  if (tracks.length <= maximumPlaylistTracks) return
  throw new ActionError(`a playlist holds ${maximumPlaylistTracks} tracks, these are ${tracks.length}`)
}

/** @returns undefined for one that is not there yet @throws ApiError (410 deleted) */
export async function currentPlaylist(
  connection: Connection,
  subject: Subject,
  { signal }: { signal?: AbortSignal | undefined },
): Promise<Playlist | undefined> {
  try {
    return await findPlaylist(connection, subject, signal ? { signal } : {})
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}
