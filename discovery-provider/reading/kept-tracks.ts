import { prepared } from '@hexachord/platform/postgres'
import { LRUCache } from 'lru-cache'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'
import { type ReadTrackRow, selectTracks, trackOf } from './tracks.ts'
import { edition } from './watch-history.ts'

/** A track as it goes out, and what decides whether it does. */
export type TrackText = {
  /** In UTF-8. */
  readonly json: Buffer
  readonly unlisted: boolean
  readonly releaseAtMs: number | null
  /** When another price comes into force. */
  readonly untilMs: number
  /** In which it is so. */
  readonly edition: string | null
}

/** Tracks that are read by one statement. */
const readTogether = 100

/** How long until another price comes into force (ms). */
const priceDueIn = `(
  SELECT 1000 * (min(p.effective_at) - extract(epoch FROM clock_timestamp()))::double precision FROM track_terms p
  WHERE p.track = t.id AND p.dropped_block IS NULL AND p.version > 1
    AND p.effective_at > extract(epoch FROM clock_timestamp())
)`

export const keptTracksStatement = prepared(
  'tracks of an edition',
  `${selectTracks}, ${edition} AS edition, ${priceDueIn} AS due_in_ms
   FROM unnest((SELECT $1::text[])) AS asked (id) JOIN track t ON t.id = asked.id`,
)

type KeptRow = ReadTrackRow & { readonly edition: string | null; readonly due_in_ms: number | null }

/** Keeps the texts of tracks for as long as nothing changes of which they tell: lists of many readers name the same ones.
 * @param atMost tracks, of some 1.2 kB each
 * @param now ms
 * @returns texts by id, as they are in the given edition or a later one; ids of none are left out */
export function keepTracks({
  database,
  atMost,
  now,
}: {
  database: Database
  atMost: number
  now: () => number
}): (ids: readonly string[], edition: string | null) => Promise<ReadonlyMap<string, TrackText>> {
  const kept = new LRUCache<string, TrackText>({ max: atMost })
  let keptOf: string | null = null

  const ask = askTogether<string, TrackText>({
    atMost: readTogether,
    async read(ids) {
      const askedMs = now()
      const { rows } = await database.query<KeptRow>(keptTracksStatement, [ids])
      const edition = rows[0]?.edition ?? null
      const texts = rows.map((row) => {
        const track = trackOf(row)
        const { unlisted, releaseAtMs } = track
        const untilMs = row.due_in_ms === null ? Number.POSITIVE_INFINITY : askedMs + row.due_in_ms
        const json = Buffer.from(JSON.stringify(track))
        return [row.id, { json, unlisted, releaseAtMs, untilMs, edition }] as const
      })
      keep(texts, edition)
      return new Map(texts)
    },
  })

  function keep(texts: readonly (readonly [string, TrackText])[], of: string | null): void {
    if (of === null) return
    if (of !== keptOf) kept.clear()
    keptOf = of
    for (const [id, text] of texts) kept.set(id, text)
  }

  return async (ids, edition) => {
    const texts = new Map<string, TrackText>()
    const unknown: string[] = []
    const nowMs = now()
    for (const id of new Set(ids)) {
      const text = edition === keptOf ? kept.get(id) : undefined
      if (text === undefined || text.untilMs <= nowMs) unknown.push(id)
      else texts.set(id, text)
    }
    if (unknown.length === 0) return texts
    const read = await Promise.all(unknown.map(ask))
    for (const [place, id] of unknown.entries()) {
      const text = read[place]
      if (text !== undefined) texts.set(id, text)
    }
    return texts
  }
}
