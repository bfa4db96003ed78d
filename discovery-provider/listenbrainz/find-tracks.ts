import type { Subject } from '@hexachord/protocol/names'
import type { Database } from '../reading/entity.ts'
import type { Named } from './listens.ts'

/** The tracks that listens were of: by id, else the one of this title and artist that was there first. */
export async function findTracks(
  database: Database,
  names: readonly Named[],
  nowMs: number,
): Promise<(Subject | undefined)[]> {
  const unknown = names.flatMap((name, index) => (name.track === undefined ? [{ ...name, index }] : []))
  const found = names.map(({ track }) => track)
  if (unknown.length === 0) return found
  const { text, values } = namedTracksQuery(unknown, nowMs)
  const { rows } = await database.query<{ place: number; id: Subject }>(text, values)
  for (const { place, id } of rows) {
    const index = unknown[place - 1]?.index
    if (index !== undefined) found[index] = id
  }
  return found
}

/** The statement; its plan is held to the index of words by a test. */
export function namedTracksQuery(
  names: readonly Pick<Named, 'title' | 'artist'>[],
  nowMs: number,
): { text: string; values: unknown[] } {
  return {
    text: `SELECT asked.place::int, found.id
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (title, artist, place)
     CROSS JOIN LATERAL (
       SELECT t.id FROM track t
       WHERE t.search @@ plainto_tsquery('simple', search_words(asked.title || ' ' || asked.artist))
         AND search_words(t.title) = search_words(asked.title)
         AND search_words(t.artist) = search_words(asked.artist)
         AND NOT t.unlisted AND t.listed_at_ms <= (SELECT released_until($3))
       ORDER BY t.listed_at_ms, t.id LIMIT 1
     ) AS found`,
    values: [names.map(({ title }) => title), names.map(({ artist }) => artist), nowMs],
  }
}
