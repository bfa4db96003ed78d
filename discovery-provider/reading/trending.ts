import type { Subject } from '@hexachord/protocol/names'
import { subjectSchema } from '@hexachord/protocol/names'
import { type Chart, chartSchema, type Trending, trendingSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { type RankingList, rankingLists, type Strategy, strategyNames } from '../ranking/index.ts'
import { decodeCursor, pageOf, pageQuery } from './cursor.ts'
import { type Database, searchText } from './entity.ts'
import { route } from './route.ts'
import { type ReadTrackRow, selectTracks, trackOf } from './tracks.ts'

const rankedQuery = z.strictObject({
  /** `underground` is the week of authors with fewer than 1,000 followers. */
  list: z.enum(rankingLists).default('week'),
  /** `heard-1` heeds plays that this provider has counted, beside saves and reposts; `chain-1` is the same at all. */
  strategy: z.enum(strategyNames).default('heard-1'),
  genre: searchText(60).optional(),
  tag: searchText(30).optional(),
})

export const trendingQuery = rankedQuery.extend(pageQuery.shape)
export type TrendingQuery = z.output<typeof trendingQuery>

const chartQuery = rankedQuery.extend({ limit: z.coerce.number<string>().int().min(1).max(100).default(50) })

type RankedRow = ReadTrackRow & { readonly score: number }

/** Score, and a track where scores are equal. */
const scoreKey = z.tuple([z.number(), subjectSchema])

/** Listed tracks by their scores, the highest first.
 * @param nowMs the reader's clock */
export async function listTrending(
  database: Database,
  { limit, cursor, ...asked }: TrendingQuery,
  nowMs: number,
): Promise<Trending> {
  const after = cursor === undefined ? undefined : decodeCursor(scoreKey, cursor)
  const rows = await readRanked(database, { ...asked, after, rows: limit + 1, nowMs })
  const { strategy, list } = asked
  return { strategy, list, ...pageOf(rows, limit, trackOf, (row) => [row.score, row.id]) }
}

async function readChart(
  database: Database,
  { limit, ...asked }: z.output<typeof chartQuery>,
  nowMs: number,
): Promise<Chart> {
  const rows = await readRanked(database, { ...asked, rows: limit, nowMs })
  const { strategy, list } = asked
  const items = rows.map((row, index) => ({ place: index + 1, score: row.score, track: trackOf(row) }))
  return { strategy, list, items }
}

async function readRanked(
  database: Database,
  asked: Parameters<typeof rankedTracksQuery>[0],
): Promise<RankedRow[]> {
  const { text, values } = rankedTracksQuery(asked)
  return (await database.query<RankedRow>(text, values)).rows
}

/** The statement of {@link listTrending}; its plan is held to its indexes by a test. */
export function rankedTracksQuery({
  strategy,
  list,
  genre,
  tag,
  after,
  rows,
  nowMs,
}: {
  strategy: Strategy
  list: RankingList
  genre?: string | undefined
  tag?: string | undefined
  after?: readonly [score: number, id: Subject] | undefined
  rows: number
  nowMs: number
}): { text: string; values: unknown[] } {
  const values: unknown[] = [rows, nowMs, strategy, list]
  const conditions = [
    'r.strategy = $3 AND r.list = $4',
    'NOT t.unlisted AND t.listed_at_ms <= (SELECT released_until($2))',
  ]
  if (genre !== undefined) conditions.push(`r.genre_words = search_words($${values.push(genre)})`)
  if (tag !== undefined) conditions.push(`t.tag_words @> ARRAY[search_words($${values.push(tag)})]`)
  if (after !== undefined) {
    const [score, id] = after
    conditions.push(`(r.score, r.track) < ($${values.push(score)}, $${values.push(id)})`)
  }
  const text = `${selectTracks}, r.score FROM ranking r JOIN track t ON t.id = r.track
    WHERE ${conditions.join(' AND ')} ORDER BY r.score DESC, r.track DESC LIMIT $1`
  return { text, values }
}

export function trendingRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/tracks/trending',
      summary: 'Tracks by how they are liked and heard lately, of a genre or with a tag',
      query: trendingQuery,
      kept: true,
      answers: { 200: { description: 'One page of tracks', name: 'Trending', schema: trendingSchema } },
      async answer({ query }) {
        return { body: await listTrending(database, query, now()), freshness: 'brief' }
      },
    }),
    route({
      path: '/v1/charts',
      summary: 'The first places of a list with their scores, of a genre or with a tag',
      query: chartQuery,
      kept: true,
      answers: { 200: { description: 'The chart', name: 'Chart', schema: chartSchema } },
      async answer({ query }) {
        return { body: await readChart(database, query, now()), freshness: 'brief' }
      },
    }),
  ]
}
