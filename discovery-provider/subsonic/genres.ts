import type { Postgres } from '@hexachord/platform/postgres'
import type { Fields } from './answer.ts'

/** To count them means to look at every song: once a minute, however many ask. */
const freshMs = 60_000

/** Genres in one answer, the largest. */
const maximumGenres = 1_000

type GenreRow = { name: string; songs: number; albums: number }

/** Reads the genres of all songs and how many songs and albums each has, at most a minute old.
 * @param now ms */
export function countGenres(postgres: Postgres, now: () => number): () => Promise<Fields[]> {
  let counted: Promise<Fields[]> | undefined
  let untilMs = 0

  async function count(): Promise<Fields[]> {
    // A genre is one in whatever case and with whatever accents it is written; one spelling of each is shown.
    const { rows } = await postgres.query<GenreRow>(
      `SELECT coalesce(
         (SELECT t.genre FROM track t WHERE t.genre_words = g.genre_words AND NOT t.unlisted
          AND t.listed_at_ms <= (SELECT released_until($1)) ORDER BY t.listed_at_ms, t.id LIMIT 1), g.genre_words) AS name,
         g.songs, (SELECT count(*)::int FROM shelf_album a WHERE a.genre_words = g.genre_words) AS albums
       FROM (
         SELECT genre_words, count(*)::int AS songs FROM shelf_song WHERE genre_words <> ''
         GROUP BY genre_words ORDER BY count(*) DESC, genre_words LIMIT ${maximumGenres}
       ) AS g
       ORDER BY g.songs DESC, g.genre_words`,
      [now()],
    )
    return rows.map(({ name, songs, albums }) => ({ value: name, songCount: songs, albumCount: albums }))
  }

  return () => {
    if (counted === undefined || now() >= untilMs) {
      untilMs = now() + freshMs
      counted = count()
      // Whoever waits hears of it; the next one asks again.
      counted.catch(() => {
        counted = undefined
      })
    }
    return counted
  }
}
