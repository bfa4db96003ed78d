import { type Address, isSubject, NameError, parseAddress, type Subject } from '@hexachord/protocol/names'
import {
  type List,
  listOf,
  type Playlist,
  type PlaylistSummary,
  type PricedTrack,
  playlistSchema,
  playlistSummarySchema,
  pricedTrackSchema,
  resolutionSchema,
  type SearchAnswer,
  searchAnswerSchema,
  type Track,
  trackSchema,
  type User,
  userSchema,
} from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'

export { loadManifest } from './load-manifest.ts'

type Options = { readonly signal?: AbortSignal }

/** @returns the track with what it costs, so that whoever opens it needs not ask again
 * @throws ApiError (404 unknown, 410 deleted, or taken down by the provider) */
export function findTrack(connection: Connection, id: Subject, options: Options = {}): Promise<PricedTrack> {
  return connection.discover(`/v1/tracks/${id}`, pricedTrackSchema, options)
}

/** Newest first. @param cursor `next` of the page before */
export function listTracks(
  connection: Connection,
  { author, cursor, limit }: { author?: string; cursor?: string; limit?: number } = {},
  options: Options = {},
): Promise<List<Track>> {
  const query = new URLSearchParams()
  if (author) query.set('author', author)
  if (cursor) query.set('cursor', cursor)
  if (limit) query.set('limit', String(limit))
  return connection.discover(`/v1/tracks?${query}`, listOf(trackSchema), options)
}

/** @param who an address, or a handle with or without `@` */
export async function findUser(connection: Connection, who: string, options: Options = {}): Promise<User> {
  const id = await addressFor(connection, who, options)
  return connection.discover(`/v1/users/${id}`, userSchema, options)
}

/** The user that a person means, who need not have done anything yet: an address, or a handle with or without `@`.
 * @throws NameError for a malformed address, ApiError (404 for a handle that nobody has) */
export async function addressFor(
  connection: Connection,
  who: string,
  options: Options = {},
): Promise<Address> {
  return who.startsWith('0x') ? parseAddress(who) : resolveHandle(connection, who, options)
}

export function findPlaylist(connection: Connection, id: Subject, options: Options = {}): Promise<Playlist> {
  return connection.discover(`/v1/playlists/${id}`, playlistSchema, options)
}

/** Listed playlists and albums of an author, newest first.
 * @param album true for albums alone, false for the others
 * @param cursor `next` of the page before */
export function listPlaylists(
  connection: Connection,
  { author, album, cursor, limit }: { author: Address; album?: boolean; cursor?: string; limit?: number },
  options: Options = {},
): Promise<List<PlaylistSummary>> {
  const query = new URLSearchParams()
  if (album !== undefined) query.set('album', String(album))
  if (cursor) query.set('cursor', cursor)
  if (limit) query.set('limit', String(limit))
  return connection.discover(`/v1/users/${author}/playlists?${query}`, listOf(playlistSummarySchema), options)
}

export function search(connection: Connection, text: string, options: Options = {}): Promise<SearchAnswer> {
  return connection.discover(`/v1/search?${new URLSearchParams({ q: text })}`, searchAnswerSchema, options)
}

/** The track that a person means: its id, any URL that holds the id, or words to search for (the best hit).
 * @throws ApiError, NameError when nothing fits */
export async function trackFor(
  connection: Connection,
  text: string,
  options: Options = {},
): Promise<Track & Partial<PricedTrack>> {
  const inside = /0x[0-9a-f]{40}-[0-9]{1,29}/.exec(text.toLowerCase())?.[0]
  if (inside !== undefined && isSubject(inside)) return findTrack(connection, inside, options)
  const [first] = (await search(connection, text, options)).tracks
  if (first === undefined) throw new NameError(`no track is found for '${text.slice(0, 100)}'`)
  return first
}

async function resolveHandle(connection: Connection, handle: string, options: Options): Promise<Address> {
  const query = new URLSearchParams({ handle: handle.replace(/^@/, '').toLowerCase() })
  const { id } = await connection.discover(`/v1/resolve?${query}`, resolutionSchema, options)
  return parseAddress(id)
}
