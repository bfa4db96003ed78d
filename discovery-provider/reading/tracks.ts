import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import { subjectSchema } from '@hexachord/protocol/names'
import { type Holder, type List, listOf, type Track, trackSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { TrackRow } from '../projections/tracks.ts'
import { decodeCursor, pageOf } from './cursor.ts'
import { absence, addressText, type Database, lastOf, searchText, subjectParams } from './entity.ts'
import { route } from './route.ts'

/** As {@link selectTracks} gives them. */
export type ReadTrackRow = TrackRow & { readonly author_handle: string | null; readonly holders: Holder[] }

/** Operators that were named by receipts, where they are now; those that no longer take part are left out. */
const holdersOfTrack = `(
  SELECT coalesce(
    json_agg(
      json_build_object('operator', o.id, 'endpoint', o.gateway) ORDER BY array_position(t.operators, o.id)
    ),
    '[]'
  )
  FROM operator o WHERE o.id = ANY (t.operators) AND o.active AND o.gateway IS NOT NULL
)`

/** Begins a query of tracks, called `t`, with all that {@link trackOf} needs. */
export const selectTracks = `
  SELECT t.id, t.author, t.title, t.artist, t.album, t.genre, t.mood, t.tags, t.description, t.isrc, t.licence,
    t.unlisted, t.duration_ms, t.manifest, t.storage_root, t.leaf_count, t.byte_length,
    t.created_at_ms, t.updated_at_ms, t.block, t.log_index, t.digest,
    (SELECT p.handle FROM profile p WHERE p.id = t.author) AS author_handle,
    ${holdersOfTrack} AS holders`

export function trackOf(row: ReadTrackRow): Track {
  return {
    id: row.id as Subject,
    author: row.author as Address,
    authorHandle: row.author_handle,
    title: row.title,
    artist: row.artist,
    album: row.album,
    genre: row.genre,
    mood: row.mood,
    tags: [...row.tags],
    description: row.description,
    isrc: row.isrc,
    licence: row.licence,
    unlisted: row.unlisted,
    durationMs: row.duration_ms,
    manifest: row.manifest,
    storageRoot: row.storage_root as Hash,
    leafCount: row.leaf_count,
    byteLength: row.byte_length,
    holders: row.holders,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last: lastOf(row),
  }
}

/** Tracks by id, in the order asked for; ids of none are left out. */
export async function readTracks(database: Database, ids: readonly string[]): Promise<Track[]> {
  if (ids.length === 0) return []
  const { rows } = await database.query<ReadTrackRow>(
    `${selectTracks} FROM unnest($1::text[]) WITH ORDINALITY AS asked (id, place)
     JOIN track t ON t.id = asked.id ORDER BY asked.place`,
    [ids],
  )
  return rows.map(trackOf)
}

/** @throws Problem 404 or 410 */
export async function readTrack(database: Database, id: Subject): Promise<Track> {
  const [track] = await readTracks(database, [id])
  if (track === undefined) throw await absence(database, id, 'track')
  return track
}

const listQuery = z.strictObject({
  author: addressText.optional(),
  genre: searchText(60).optional(),
  limit: z.coerce.number<string>().int().min(1).max(100).default(20),
  cursor: z.string().max(300).optional(),
})

export const listKey = z.tuple([z.int(), subjectSchema])

/** Listed tracks, newest first. */
export async function listTracks(
  database: Database,
  { author, genre, limit, cursor }: z.output<typeof listQuery>,
): Promise<List<Track>> {
  const { text, values } = listTracksQuery({
    author,
    genre,
    after: cursor === undefined ? undefined : decodeCursor(listKey, cursor),
    rows: limit + 1,
  })
  const { rows } = await database.query<ReadTrackRow>(text, values)
  return pageOf(rows, limit, trackOf, (row) => [row.created_at_ms, row.id])
}

/** The statement of {@link listTracks}; its plan is held to its indexes by a test. */
export function listTracksQuery({
  author,
  genre,
  after,
  rows,
}: {
  author?: Address | undefined
  genre?: string | undefined
  after?: readonly [createdAtMs: number, id: Subject] | undefined
  rows: number
}): { text: string; values: unknown[] } {
  const values: unknown[] = [rows]
  const conditions = ['NOT t.unlisted']
  if (author !== undefined) conditions.push(`t.author = $${values.push(author)}`)
  if (genre !== undefined) conditions.push(`t.genre_words = search_words($${values.push(genre)})`)
  if (after !== undefined) {
    const [createdAtMs, id] = after
    conditions.push(`(t.created_at_ms, t.id) < ($${values.push(createdAtMs)}, $${values.push(id)})`)
  }
  const text = `${selectTracks} FROM track t WHERE ${conditions.join(' AND ')}
    ORDER BY t.created_at_ms DESC, t.id DESC LIMIT $1`
  return { text, values }
}

export function trackRoutes(database: Database) {
  return [
    route({
      path: '/v1/tracks',
      summary: 'Tracks, newest first',
      query: listQuery,
      answers: { 200: { description: 'One page of tracks', name: 'TrackList', schema: listOf(trackSchema) } },
      async answer({ query }) {
        return { body: await listTracks(database, query), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/tracks/:id',
      summary: 'One track, and which nodes hold it now',
      params: subjectParams,
      answers: {
        200: { description: 'The track', name: 'Track', schema: trackSchema },
        404: { description: 'There is no such track' },
        410: { description: 'The track was deleted' },
      },
      async answer({ params }) {
        return { body: await readTrack(database, params.id), freshness: 'checked' }
      },
    }),
  ]
}
