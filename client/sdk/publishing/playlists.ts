import type { Json } from '@hexachord/protocol/canonical'
import { freshNumber, type Hash, type Subject, subjectOf } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { signNewAction } from '../writing/index.ts'
import { namesPerStep } from './playlist-steps.ts'
import { currentPlaylist } from './publish-album.ts'
import type { PublishOptions } from './publish-track.ts'
import { settleAndRead } from './settle-and-read.ts'

/** What is to be said of a playlist; what is left out stays as it is. */
export type PlaylistChanges = {
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** In no list and no search, and not secret either. */
  readonly unlisted?: boolean | undefined
  /** Tracks that are taken out. */
  readonly remove?: readonly Subject[] | undefined
  /** Tracks that are put at the end; one that is in the playlist already stays where it is. */
  readonly add?: readonly Subject[] | undefined
}

/** Makes a playlist that everybody can see.
 * @returns the playlist as discovery has it
 * @throws ActionError when it is malformed, ActionRejected, NotRelayed, ApiError */
export function createPlaylist(
  connection: Connection,
  account: Account,
  playlist: Omit<PlaylistChanges, 'remove'> & { readonly title: string },
  options: PublishOptions = {},
): Promise<Playlist> {
  const number = freshNumber((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>))
  const subject = subjectOf(account.address, number)
  return write(connection, account, { subject, prev: null, changes: playlist }, options)
}

/** Changes a playlist or an album.
 * @returns it as discovery has it then
 * @throws ApiError (404 unknown, 410 deleted), ActionError, ActionRejected (`notAuthorised`; `malformed` for a private
 * one, which is written whole), NotRelayed */
export async function changePlaylist(
  connection: Connection,
  account: Account,
  subject: Subject,
  changes: PlaylistChanges,
  options: PublishOptions = {},
): Promise<Playlist> {
  const { signal } = options
  const { last } = await findPlaylist(connection, subject, signal ? { signal } : {})
  return write(connection, account, { subject, prev: last.digest, changes }, options)
}

async function write(
  connection: Connection,
  account: Account,
  { subject, prev, changes }: { subject: Subject; prev: Hash | null; changes: PlaylistChanges },
  options: PublishOptions,
): Promise<Playlist> {
  const { remove = [], add = [], ...fields } = changes
  const said = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  const read = () => currentPlaylist(connection, subject, options)
  const steps: Json[] = [
    ...inSteps(remove).map((tracks) => ({ remove: tracks })),
    ...inSteps(add).map((tracks) => ({ add: tracks.map((track) => ({ track })) })),
  ]
  let last = prev
  const take = async (step: Json): Promise<Playlist> => {
    const content = { prev: last, ...(last === prev ? said : {}), ...(step as object) } as Json
    const { signed } = await signNewAction(connection, account, { kind: 'playlist', subject, content })
    const playlist = await settleAndRead(connection, account, signed, read, options)
    last = playlist.last.digest
    return playlist
  }
  const [first = {}, ...others] = steps
  let playlist = await take(first)
  for (const step of others) playlist = await take(step)
  return playlist
}

function inSteps(tracks: readonly Subject[]): Subject[][] {
  const steps = []
  for (let at = 0; at < tracks.length; at += namesPerStep) steps.push(tracks.slice(at, at + namesPerStep))
  return steps
}
