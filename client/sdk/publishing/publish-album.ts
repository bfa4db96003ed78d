import type { Json } from '@hexachord/protocol/canonical'
import type { Subject } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { signNewAction } from '../writing/index.ts'
import { type PlaylistStep, playlistSteps } from './playlist-steps.ts'
import type { PublishOptions } from './publish-track.ts'
import { settleAndRead } from './settle-and-read.ts'

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
 * tracks of it that are not named stay, behind the others.
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
  const read = () => currentPlaylist(connection, subject, options)
  let album = await read()
  const steps: (PlaylistStep | undefined)[] = playlistSteps(album?.trackIds ?? [], tracks)
  if (steps.length === 0 && !(album && saysTheSame(album, details))) steps.push(undefined)
  for (const [index, step] of steps.entries()) {
    const content = albumContent(album, index === 0 ? details : undefined, step)
    const { signed } = await signNewAction(connection, account, { kind: 'playlist', subject, content })
    album = await settleAndRead(connection, account, signed, read, options)
  }
  if (album === undefined) throw new TypeError('an album holds one track at least')
  return album
}

/** What one action says of an album. @param details as its first one does */
export function albumContent(
  before: Playlist | undefined,
  details: AlbumDetails | undefined,
  step: PlaylistStep | undefined,
): Json {
  return {
    prev: before?.last.digest ?? null,
    ...(details && contentOf(details)),
    ...(step?.remove.length ? { remove: [...step.remove] } : {}),
    ...(step?.add.length ? { add: [...step.add] } : {}),
  }
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
