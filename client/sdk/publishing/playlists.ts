import { playlistSteps } from '@hexachord/protocol/actions'
import { freshNumber, type Subject, subjectOf } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import { type Connection, noAnswer } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { assertFits, writePlaylist } from './playlist-actions.ts'
import type { PublishOptions } from './publish-track.ts'

/** What is to be said of a playlist; what is left out stays as it is. */
export type PlaylistChanges = {
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** Whether it is an album. */
  readonly album?: boolean | undefined
  /** In no list and no search, and not secret either. */
  readonly unlisted?: boolean | undefined
  /** CID of a picture that somebody holds, such as the cover of one of its tracks; null takes it away. */
  readonly cover?: string | null | undefined
  /** Tracks that are taken out. */
  readonly remove?: readonly Subject[] | undefined
  /** Tracks that are put at the end; one that is in the playlist already stays where it is. */
  readonly add?: readonly Subject[] | undefined
  /** Tracks that are put elsewhere then, one after the other: `to` is a place among all others, from 0. One that is not
   * in it is left out. */
  readonly move?: readonly { readonly track: Subject; readonly to: number }[] | undefined
}

/** So many places fit into one action. */
const movesPerStep = 60

/** Makes a playlist that everybody can see.
 * @returns the playlist as discovery has it
 * @throws ActionError when it is malformed, ActionRejected, NotRelayed, ApiError */
export async function createPlaylist(
  connection: Connection,
  account: Account,
  { add = [], ...said }: Omit<PlaylistChanges, 'remove' | 'move'> & { readonly title: string },
  options: PublishOptions = {},
): Promise<Playlist> {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  const subject = subjectOf(account.address, number)
  assertFits(add)
  const contents = playlistSteps({ fields: fieldsOf(said), have: [], want: add })
  const made = await writePlaylist(connection, account, { subject, prev: null, contents }, options)
  if (made === undefined) throw noAnswer('', 'no discovery provider shows the playlist')
  return made
}

/** Changes a playlist or an album. Wherever that is cut off, it holds all tracks that it is to keep.
 * @returns it as discovery has it then
 * @throws ApiError (404 unknown, 410 deleted), ActionError, ActionRejected (`notAuthorised`; `malformed` for a private
 * one, which is written whole), NotRelayed */
export async function changePlaylist(
  connection: Connection,
  account: Account,
  subject: Subject,
  { remove = [], add = [], move = [], ...said }: PlaylistChanges,
  options: PublishOptions = {},
): Promise<Playlist> {
  const { signal } = options
  const before = await findPlaylist(connection, subject, signal ? { signal } : {})
  const removed = new Set(remove)
  const have = before.trackIds
  const want = [...new Set([...have.filter((track) => !removed.has(track)), ...add])]
  assertFits(want)
  const contents = playlistSteps({ fields: fieldsOf(said), have, want })
  for (let at = 0; at < move.length; at += movesPerStep) {
    contents.push({ move: move.slice(at, at + movesPerStep) })
  }
  const change = { subject, prev: before.last.digest, contents }
  return (await writePlaylist(connection, account, change, options)) ?? before
}

function fieldsOf(said: Omit<PlaylistChanges, 'remove' | 'add' | 'move'>) {
  type Said = { readonly [name: string]: string | boolean | null }
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) as Said
}
