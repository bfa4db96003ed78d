import type { Subject } from '@hexachord/protocol/names'
import { subjectOf } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import { sha256, toUtf8Bytes } from 'ethers'
import { ApiError, type Connection } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { type AlbumDetails, publishAlbum } from '../publishing/index.ts'
import { type ReleasedFile, type ReleaseFile, type ReleaseOptions, releaseTracks } from './release-tracks.ts'

/** `tags`: by disc and track number, where every file has one of its own, else as given. */
export type AlbumOrder = 'tags' | 'given'

export type ReleasedAlbum = {
  /** Undefined when a file failed: what is ready waits, and the same call goes on with what lacks. */
  readonly album: Playlist | undefined
  /** In the order in which the files were given. */
  readonly files: readonly ReleasedFile[]
}

/** An artist may delete albums and publish others by the same title. */
const maximumSameTitle = 50

/** Makes an album of files: sends them, several at a time, and publishes nothing before all are ready; then all tracks,
 * then the album that lists them. The same call after any interruption or failure does only what is still to do: the
 * album is known by its author and title.
 * @throws as `releaseTracks`; and when the album itself cannot be published: ActionRejected, NotRelayed, ApiError */
export async function uploadAlbum(
  connection: Connection,
  account: Account,
  files: readonly ReleaseFile[],
  album: AlbumDetails,
  { order = 'tags', ...options }: ReleaseOptions & { readonly order?: AlbumOrder } = {},
): Promise<ReleasedAlbum> {
  const released = await releaseTracks(connection, account, files, { ...options, together: true })
  const published = released.filter((file) => file.state === 'published')
  if (published.length < released.length) return { album: undefined, files: released }
  const tracks = new Set(inOrder(published, order).map(({ track }) => track.id))
  const subject = await freeAlbum(connection, account, album.title, options.signal)
  const { signal, payer, until, timeoutMs } = options
  const settings = { signal, payer, until, timeoutMs }
  return {
    album: await publishAlbum(connection, account, { ...album, subject, tracks: [...tracks] }, settings),
    files: released,
  }
}

/** The album's name follows from its author and title, so that it is the same after any loss of memory. One that was
 * deleted is a tombstone: the next one takes another number. */
async function freeAlbum(
  connection: Connection,
  account: Account,
  title: string,
  signal: AbortSignal | undefined,
): Promise<Subject> {
  for (let copy = 0; copy < maximumSameTitle; copy++) {
    const digest = sha256(toUtf8Bytes(JSON.stringify(['album', account.address, title, copy])))
    // 96 bits; never 0, which is the author.
    const subject = subjectOf(account.address, BigInt(digest.slice(0, 26)) || 1n)
    try {
      await findPlaylist(connection, subject, signal ? { signal } : {})
      return subject
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return subject
      if (!(error instanceof ApiError && error.status === 410)) throw error
    }
  }
  throw new RangeError(`${maximumSameTitle} albums called '${title}' were deleted: take another title`)
}

type Published = Extract<ReleasedFile, { state: 'published' }>

function inOrder(files: readonly Published[], order: AlbumOrder): readonly Published[] {
  const places = new Set(files.map(({ place }) => place))
  if (order === 'given' || places.has(undefined) || places.size < files.length) return files
  return files.toSorted((one, other) => (one.place ?? 0) - (other.place ?? 0))
}
