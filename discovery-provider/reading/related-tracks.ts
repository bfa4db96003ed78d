import type { Subject } from '@hexachord/protocol/names'
import { type List, listOf, type Track, trackSchema } from '@hexachord/protocol/rest'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import { type Database, subjectParams } from './entity.ts'
import { route } from './route.ts'
import { type ReadTrackRow, readTrack, selectTracks, trackOf } from './tracks.ts'

/** The time up to which scheduled tracks are out for a reader (ms). */
export async function releasedUntil(database: Database, nowMs: number): Promise<number> {
  const { rows } = await database.query<{ until_ms: number }>('SELECT released_until($1) AS until_ms', [
    nowMs,
  ])
  return rows[0]?.until_ms ?? nowMs
}

/** Whether a scheduled track is out for a reader. */
export async function isReleased(database: Database, releaseAtMs: number, nowMs: number): Promise<boolean> {
  return releaseAtMs <= (await releasedUntil(database, nowMs))
}

/** Of some tracks those that are out for a reader. */
export async function releasedOf(database: Database, tracks: Track[], nowMs: number): Promise<Track[]> {
  // In most lists nothing is scheduled.
  if (tracks.every(({ releaseAtMs }) => releaseAtMs === null)) return tracks
  const untilMs = await releasedUntil(database, nowMs)
  return tracks.filter(({ releaseAtMs }) => (releaseAtMs ?? 0) <= untilMs)
}

/** Statement of the tracks that say they are made of another one, newest first; unlisted ones are left out. */
export function remixesQuery(
  id: Subject,
  before: readonly [number, string],
  rows: number,
  nowMs: number,
): { text: string; values: unknown[] } {
  return {
    text: `${selectTracks} FROM track t
      WHERE t.remix_of @> ARRAY[$1] AND t.remix_of <> '{}' AND NOT t.unlisted
        AND t.listed_at_ms <= (SELECT released_until($5)) AND (t.listed_at_ms, t.id) < ($2, $3)
      ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT $4`,
    values: [id, ...before, rows, nowMs],
  }
}

async function listRemixes(
  database: Database,
  id: Subject,
  { limit, cursor }: PageQuery,
  nowMs: number,
): Promise<List<Track>> {
  await readTrack(database, id)
  const { text, values } = remixesQuery(id, placeBefore(cursor), limit + 1, nowMs)
  const { rows } = await database.query<ReadTrackRow>(text, values)
  return pageOf(rows, limit, trackOf, (row) => [row.listed_at_ms, row.id])
}

/** More stems than any piece has. */
const mostStems = 200

/** In the order in which they were published, unlisted ones too: authors list a piece, not its parts. */
async function listStems(database: Database, id: Subject, nowMs: number): Promise<List<Track>> {
  await readTrack(database, id)
  const { rows } = await database.query<ReadTrackRow>(
    `${selectTracks} FROM track t WHERE t.stem_of = $1 AND t.listed_at_ms <= (SELECT released_until($2))
     ORDER BY t.created_at_ms, t.id LIMIT ${mostStems}`,
    [id, nowMs],
  )
  return { items: rows.map(trackOf), next: null }
}

const page = { description: 'One page of tracks', name: 'TrackList', schema: listOf(trackSchema) }
const absent = {
  404: { description: 'There is no such track' },
  410: { description: 'The track was deleted, or is taken down here' },
}

export function relatedTrackRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/tracks/:id/remixes',
      summary: 'Tracks that credit this one as what they are made of, newest first',
      params: subjectParams,
      query: pageQuery,
      answers: { 200: page, ...absent },
      async answer({ params, query }) {
        return { body: await listRemixes(database, params.id, query, now()), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/tracks/:id/stems',
      summary: 'The parts of which this track consists, unlisted ones too, once they are out',
      params: subjectParams,
      answers: { 200: page, ...absent },
      async answer({ params }) {
        return { body: await listStems(database, params.id, now()), freshness: 'checked' }
      },
    }),
  ]
}
