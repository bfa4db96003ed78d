import { prepared } from '@hexachord/platform/postgres'
import { LRUCache } from 'lru-cache'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'
import { type ReadTrackRow, selectTracks, trackOf } from './tracks.ts'
import { revision } from './watch-history.ts'

/** A track as it goes out, and what decides whether it does. */
export type TrackText = {
  /** In UTF-8. */
  readonly json: Buffer
  readonly unlisted: boolean
  readonly releaseAtMs: number | null
}

/** Tracks that are read by one statement. */
const readTogether = 100

export const keptTracksStatement = prepared(
  'tracks of a revision',
  `${selectTracks}, ${revision} AS revision FROM unnest((SELECT $1::text[])) AS asked (id) JOIN track t ON t.id = asked.id`,
)

/** Keeps the texts of tracks for as long as nothing in the catalogue changes: lists of many readers name the same ones.
 * `premium` and `priced`, which stand beside the catalogue, may be as old as its last change.
 * @param atMost tracks, of some 2 kB each
 * @returns texts by id, as they are in the given revision or a later one; ids of none are left out */
export function keepTracks({
  database,
  atMost,
}: {
  database: Database
  atMost: number
}): (ids: readonly string[], revision: string | null) => Promise<ReadonlyMap<string, TrackText>> {
  const kept = new LRUCache<string, TrackText>({ max: atMost })
  let keptOf: string | null = null

  const ask = askTogether<string, TrackText>({
    atMost: readTogether,
    async read(ids) {
      const { rows } = await database.query<ReadTrackRow & { revision: string | null }>(keptTracksStatement, [
        ids,
      ])
      const texts = rows.map((row) => {
        const track = trackOf(row)
        const { unlisted, releaseAtMs } = track
        return [row.id, { json: Buffer.from(JSON.stringify(track)), unlisted, releaseAtMs }] as const
      })
      keep(texts, rows[0]?.revision ?? null)
      return new Map(texts)
    },
  })

  function keep(texts: readonly (readonly [string, TrackText])[], of: string | null): void {
    if (of === null) return
    if (of !== keptOf) kept.clear()
    keptOf = of
    for (const [id, text] of texts) kept.set(id, text)
  }

  return async (ids, revision) => {
    const texts = new Map<string, TrackText>()
    const unknown: string[] = []
    for (const id of new Set(ids)) {
      const text = revision === keptOf ? kept.get(id) : undefined
      if (text === undefined) unknown.push(id)
      else texts.set(id, text)
    }
    const read = await Promise.all(unknown.map(ask))
    for (const [place, id] of unknown.entries()) {
      const text = read[place]
      if (text !== undefined) texts.set(id, text)
    }
    return texts
  }
}
