import type { Subject } from '@hexachord/protocol/names'
import { subjectOf } from '@hexachord/protocol/names'
import type { Playlist } from '@hexachord/protocol/rest'
import { sha256, toUtf8Bytes } from 'ethers'
import { ApiError, type Connection } from '../connect/index.ts'
import { findPlaylist } from '../finding/index.ts'
import type { Account } from '../keys/index.ts'
import { type AlbumDetails, publishAlbum } from '../publishing/index.ts'
import { type ReleasedFile, type ReleaseFile, type ReleaseOptions, releaseTracks } from './release-tracks.ts'
import { assertFits, scheduleAlbum } from './schedule-album.ts'
import type { Scheduled } from './schedule-track.ts'

/** `tags`: by disc and track number, where every file has one of its own, else as given. */
export type AlbumOrder = 'tags' | 'given'

export type ReleasedAlbum = {
  /** Undefined when a file failed: what is ready waits, and the same call goes on with what lacks. */
  readonly album: Playlist | undefined
  /** Where it waits for its release with its tracks. */
  readonly held: Scheduled | undefined
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
  const { signal, payer, until, timeoutMs, holdUntilMs } = options
  if (holdUntilMs !== undefined) assertFits(files.length)
  const released = await releaseTracks(connection, account, files, { ...options, together: true })
  const done = released.filter((file) => file.state === 'published' || file.state === 'scheduled')
  if (done.length < released.length) return { album: undefined, held: undefined, files: released }
  const tracks = new Set(inOrder(done, order).map(nameOf))
  const subject = await freeAlbum(connection, account, album.title, signal)
  const waiting = done.find((file) => file.state === 'scheduled')
  if (waiting) {
    const wanted = { ...album, subject, tracks: [...tracks] }
    const at = { ...waiting, isNew: done.some(({ before }) => !before) }
    const held = await scheduleAlbum(connection, account, wanted, at, { signal })
    return { album: undefined, held, files: released }
  }
  const settings = { signal, payer, until, timeoutMs }
  return {
    album: await publishAlbum(connection, account, { ...album, subject, tracks: [...tracks] }, settings),
    held: undefined,
    files: released,
  }
}

function nameOf(file: Done): Subject {
  return file.state === 'published' ? file.track.id : file.subject
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

type Done = Extract<ReleasedFile, { state: 'published' | 'scheduled' }>

function inOrder(files: readonly Done[], order: AlbumOrder): readonly Done[] {
  const places = new Set(files.map(({ place }) => place))
  if (order === 'given' || places.has(undefined) || places.size < files.length) return files
  return files.toSorted((one, other) => (one.place ?? 0) - (other.place ?? 0))
}
