import { prepared } from '@hexachord/platform/postgres'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import { subjectSchema } from '@hexachord/protocol/names'
import {
  type Holder,
  type List,
  listOf,
  type PricedTrack,
  pricedTrackSchema,
  type Track,
  trackSchema,
} from '@hexachord/protocol/rest'
import * as z from 'zod'
import { selectTerms, type TermsColumn, termsInForce } from '../payments/read-terms.ts'
import type { TrackRow } from '../projections/tracks.ts'
import { askTogether } from './ask-together.ts'
import { decodeCursor, pageOf, pageQuery } from './cursor.ts'
import { absence, addressText, type Database, lastOf, subjectParams } from './entity.ts'
import { route } from './route.ts'
import { type Tallies, talliesOf } from './tallies.ts'
import { filterOf, type TrackFilters, trackFilters } from './track-filters.ts'

/** As {@link selectTracks} gives them. */
export type ReadTrackRow = TrackRow & {
  readonly listed_at_ms: number
  readonly author_handle: string | null
  readonly holders: Holder[]
  readonly premium: boolean | null
  readonly priced: boolean
  readonly tallies: Tallies
}

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

/** What is in force: the first terms at once, others from their time on. */
const isPriced = `coalesce((
  SELECT p.unit_price > 0 FROM track_terms p
  WHERE p.track = t.id AND p.dropped_block IS NULL
    AND (p.version = 1 OR p.effective_at <= extract(epoch FROM clock_timestamp()))
  ORDER BY p.version DESC LIMIT 1
), false)`

const isPremium = `(SELECT m.key_holders <> '{}' FROM manifest_seen m WHERE m.manifest = t.manifest)`

/** Condition on tracks, called `t`, that programs which know nothing of us can play: see `isOpen`. */
export const isOpenTrack = `(NOT ${isPriced} AND ${isPremium} IS NOT TRUE)`

/** Begins a query of tracks, called `t`, with all that {@link trackOf} needs. */
export const selectTracks = `
  SELECT t.id, t.author, t.title, t.artist, t.album, t.genre, t.mood, t.tags, t.description, t.isrc, t.licence,
    t.unlisted, t.duration_ms, t.manifest, t.storage_root, t.leaf_count, t.byte_length,
    t.release_at_ms, t.remix_of, t.remix_credits, t.stem_of, t.stem_part, t.credits, t.listed_at_ms,
    t.created_at_ms, t.updated_at_ms, t.block, t.log_index, t.digest,
    ${talliesOf('t.id')} AS tallies, ${isPriced} AS priced,
    ${isPremium} AS premium,
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
    releaseAtMs: row.release_at_ms,
    remixOf: row.remix_of.map((track, at) => ({
      track: track as Subject,
      credit: row.remix_credits[at] ?? '',
    })),
    stemOf: row.stem_of === null ? null : { track: row.stem_of as Subject, part: row.stem_part ?? '' },
    credits: [...row.credits],
    premium: row.premium,
    priced: row.priced,
    saveCount: row.tallies.saves ?? 0,
    repostCount: row.tallies.reposts ?? 0,
    commentCount: row.tallies.comments ?? 0,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last: lastOf(row),
  }
}

/** Tracks by id, in the order asked for; ids of none are left out. */
export async function readTracks(database: Database, ids: readonly string[]): Promise<Track[]> {
  if (ids.length === 0) return []
  const { rows } = await database.query<ReadTrackRow>(tracksStatement, [ids])
  return rows.map(trackOf)
}

export const tracksStatement = prepared(
  'tracks',
  `${selectTracks} FROM unnest((SELECT $1::text[])) WITH ORDINALITY AS asked (id, place)
   JOIN track t ON t.id = asked.id ORDER BY asked.place`,
)

/** One track by id. */
const trackStatement = prepared('track', `${selectTracks} FROM track t WHERE t.id = $1`)

/** Tracks with what they cost: what is asked for most. */
export const pricedTracksStatement = prepared(
  'priced_tracks',
  `${selectTracks}, ${selectTerms('t.id')} AS terms FROM unnest((SELECT $1::text[])) AS asked (id)
   JOIN track t ON t.id = asked.id`,
)

/** @throws Problem 404 or 410 */
export async function readTrack(database: Database, id: Subject): Promise<Track> {
  const { rows } = await database.query<ReadTrackRow>(trackStatement, [id])
  const [row] = rows
  if (row === undefined) throw await absence(database, id, 'track')
  return trackOf(row)
}

type PricedRow = ReadTrackRow & { readonly terms: TermsColumn }

function pricedTrackOf(row: PricedRow, nowMs: number): PricedTrack {
  const terms = termsInForce(row.terms, nowMs)
  return { ...trackOf(row), priced: terms !== null && BigInt(terms.unitPrice) > 0n, terms }
}

/** A track with what it costs at a time (ms). @throws Problem 404 or 410 */
export async function readPricedTrack(database: Database, id: Subject, nowMs: number): Promise<PricedTrack> {
  const { rows } = await database.query<PricedRow>(pricedTracksStatement, [[id]])
  const [row] = rows
  if (row === undefined) throw await absence(database, id, 'track')
  return pricedTrackOf(row, nowMs)
}

const listQuery = pageQuery.extend({
  author: addressText.optional(),
  ...trackFilters,
})

export const listKey = z.tuple([z.int(), subjectSchema])

/** Listed tracks, newest first; scheduled ones from their time on.
 * @param nowMs the reader's clock */
export async function listTracks(
  database: Database,
  { limit, cursor, ...asked }: z.output<typeof listQuery>,
  nowMs: number,
): Promise<List<Track>> {
  const { text, values } = listTracksQuery({
    ...asked,
    after: cursor === undefined ? undefined : decodeCursor(listKey, cursor),
    rows: limit + 1,
    nowMs,
  })
  const { rows } = await database.query<ReadTrackRow>(text, values)
  return pageOf(rows, limit, trackOf, (row) => [row.listed_at_ms, row.id])
}

/** The statement of {@link listTracks}; its plan is held to its indexes by a test. */
export function listTracksQuery({
  author,
  after,
  rows,
  nowMs,
  ...filters
}: TrackFilters & {
  author?: Address | undefined
  after?: readonly [listedAtMs: number, id: Subject] | undefined
  rows: number
  nowMs: number
}): { text: string; values: unknown[] } {
  const values: unknown[] = [rows, nowMs]
  const conditions = ['NOT t.unlisted', 't.listed_at_ms <= (SELECT released_until($2))']
  if (author !== undefined) conditions.push(`t.author = $${values.push(author)}`)
  // Its plan is made for these values: how rare they are decides which index is walked.
  const filter = filterOf(filters, { table: 't', before: values.length, isPrepared: false })
  conditions.push(...filter.conditions)
  values.push(...filter.values)
  if (after !== undefined) {
    const [listedAtMs, id] = after
    conditions.push(`(t.listed_at_ms, t.id) < ($${values.push(listedAtMs)}, $${values.push(id)})`)
  }
  const text = `${selectTracks} FROM track t WHERE ${conditions.join(' AND ')}
    ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT $1`
  return { text, values }
}

/** Tracks that are read by one statement for those who ask for them at one moment. */
const askedTogether = 64

export function trackRoutes(database: Database, now: () => number) {
  const trackAsked = askTogether<Subject, PricedRow>({
    atMost: askedTogether,
    async read(ids) {
      const { rows } = await database.query<PricedRow>(pricedTracksStatement, [ids])
      return new Map(rows.map((row) => [row.id as Subject, row]))
    },
  })
  return [
    route({
      path: '/v1/tracks',
      summary: 'Tracks, newest first: all, or of an author, genre, mood, tag, tempo and key',
      query: listQuery,
      answers: { 200: { description: 'One page of tracks', name: 'TrackList', schema: listOf(trackSchema) } },
      async answer({ query }) {
        return { body: await listTracks(database, query, now()), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/tracks/:id',
      summary: 'One track, which nodes hold it now, and what it costs',
      params: subjectParams,
      answers: {
        200: { description: 'The track', name: 'PricedTrack', schema: pricedTrackSchema },
        404: { description: 'There is no such track' },
        410: { description: 'The track was deleted, or is taken down here' },
      },
      async answer({ params }) {
        const row = await trackAsked(params.id)
        if (row === undefined) throw await absence(database, params.id, 'track')
        return { body: pricedTrackOf(row, now()), freshness: 'checked' }
      },
    }),
  ]
}
