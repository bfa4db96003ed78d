import { playlistSteps } from '@hexachord/protocol/actions'
import type { Subject } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { assertFits, currentPlaylist, writePlaylist } from './playlist-actions.ts'
import type { PublishOptions } from './publish-track.ts'

/** What the artist says of an album. Without a cover of its own it has that of its first track, which operators hold
 * with the track. */
export type AlbumDetails = {
  readonly title: string
  readonly description?: string | undefined
  readonly unlisted?: boolean | undefined
  /** CID of a picture that somebody holds, such as the cover of one of its tracks; null takes it away. */
  readonly cover?: string | null | undefined
}

/** Publishes tracks as an album, in order. Over an existing one it changes what differs, and nothing when nothing does;
 * tracks of it that are not named stay, behind the others. Wherever it is cut off, the album holds all that it held.
 * @param subject the album's name
 * @param tracks each once, published before
 * @returns the album as discovery has it
 * @throws ActionRejected, NotRelayed, ActionError, ApiError (410 for one that was deleted) */
export async function publishAlbum(
  connection: Connection,
  account: Account,
  { subject, tracks, ...details }: AlbumDetails & { subject: Subject; tracks: readonly Subject[] },
  options: PublishOptions = {},
): Promise<Playlist> {
  const before = await currentPlaylist(connection, subject, options)
  const contents = albumSteps(before, { tracks, ...details })
  const change = { subject, prev: before?.last.digest ?? null, contents }
  const album = (await writePlaylist(connection, account, change, options)) ?? before
  if (album === undefined) throw new TypeError('an album holds one track at least')
  return album
}

/** The contents of the actions that make of an album what is wanted of it; none where nothing changes.
 * @throws ActionError for more tracks than a playlist holds */
export function albumSteps(
  before: Playlist | undefined,
  { tracks, ...details }: AlbumDetails & { tracks: readonly Subject[] },
) {
  const have = before?.trackIds ?? []
  const want = [...new Set([...tracks, ...have])]
  assertFits(want)
  const fields = before && saysTheSame(before, details) ? {} : contentOf(details)
  return playlistSteps({ fields, have, want })
}

function contentOf({ title, description, unlisted, cover }: AlbumDetails) {
  return {
    title,
    album: true,
    ...(description === undefined ? {} : { description }),
    ...(unlisted === undefined ? {} : { unlisted }),
    ...(cover === undefined ? {} : { cover }),
  }
}

/** What is not said now stays as it was said before. */
function saysTheSame(album: Playlist, { title, description, unlisted, cover }: AlbumDetails): boolean {
  return (
    album.album &&
    album.title === title &&
    (description === undefined || album.description === description) &&
    (unlisted === undefined || album.unlisted === unlisted) &&
    (cover === undefined || album.cover === cover)
  )
}
