import type { Subject } from '@hexachord/protocol/names'
import { alikeSchema, listOf } from '@hexachord/protocol/rest'
import { type Database, subjectParams } from '../reading/entity.ts'
import { type Route, route } from '../reading/route.ts'
import { readTrack } from '../reading/tracks.ts'
import { itemMs } from './compare.ts'

const maximumShown = 50

type Row = {
  other: Subject
  title: string
  artist: string
  created_at_ms: number
  errors_per_mille: number
  offset_items: number
}

/** `/v1/tracks/:id/alike`: told to whoever asks, and acted on by nobody but people. */
export function likenessRoutes(database: Database, now: () => number): Route[] {
  return [
    route({
      path: '/v1/tracks/:id/alike',
      summary:
        'Listed tracks whose first two minutes sound like those of this one, most alike first; a hint for people',
      params: subjectParams,
      answers: {
        200: { description: 'At most fifty', name: 'AlikeList', schema: listOf(alikeSchema) },
        404: { description: 'There is no such track' },
        410: { description: 'The track was deleted, or is taken down here' },
      },
      async answer({ params: { id } }) {
        await readTrack(database, id)
        const { rows } = await database.query<Row>(
          `SELECT l.other, t.title, t.artist, t.created_at_ms, l.errors_per_mille, l.offset_items
           FROM likeness l JOIN track t ON t.id = l.other
           WHERE l.track = $1 AND NOT t.unlisted AND t.listed_at_ms <= (SELECT released_until($2))
           ORDER BY l.errors_per_mille, l.other LIMIT ${maximumShown}`,
          [id, now()],
        )
        const items = rows.map((row) => ({
          track: row.other,
          title: row.title,
          artist: row.artist,
          createdAtMs: row.created_at_ms,
          errorsPerMille: row.errors_per_mille,
          laterByMs: Math.round(row.offset_items * itemMs),
        }))
        return { body: { items, next: null }, freshness: 'checked' }
      },
    }),
  ]
}
