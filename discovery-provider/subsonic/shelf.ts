import type { Postgres, PostgresClient } from '@hexachord/platform/postgres'

/** Brings the shelf (artists, albums and where songs stand) up to date with the catalogue. */
export type Shelf = {
  /** Puts in order what has changed or has come out, if anything has. While a whole catalogue is new it stops after a moment, and goes
   * on the next time: whoever waits sees what is there by then. */
  putInOrder(): Promise<void>
}

/** Changes of which all authors are taken at once, with all else that those have changed: after a whole catalogue has
 * come each author is put in order once, and no transaction is long. */
const batch = 500

/** Albums of others in which a changed track stands: as many are counted anew at once. */
const maximumOtherAuthors = 1_000

/** How long somebody waits for a shelf that has a lot to catch up with. */
const patienceMs = 2_000

/** @param now ms */
export function createShelf(postgres: Postgres, now: () => number): Shelf {
  let running: Promise<void> | undefined

  async function hasChanges(): Promise<boolean> {
    const { rows } = await postgres.query<{ changed: boolean }>(
      `SELECT EXISTS (SELECT FROM catalogue_change)
         OR EXISTS (SELECT FROM shelf_due WHERE at_ms <= (SELECT released_until($1))) AS changed`,
      [now()],
    )
    return rows[0]?.changed === true
  }

  async function putAll(): Promise<void> {
    const untilMs = now() + patienceMs
    while (now() < untilMs && (await postgres.transaction((client) => putBatch(client, now())))) {
      // As long as there is more.
    }
  }

  return {
    async putInOrder() {
      // What runs already may have begun before the change that this reader has to see.
      await running
      if (!(await hasChanges())) return
      running ??= putAll().finally(() => {
        running = undefined
      })
      await running
    },
  }
}

/** @returns whether there may be more */
async function putBatch(client: PostgresClient, nowMs: number): Promise<boolean> {
  const lock = await client.query<{ held: boolean }>(
    `SELECT pg_try_advisory_xact_lock(hashtextextended('subsonic-shelf', 0)) AS held`,
  )
  // Another process is at it.
  if (lock.rows[0]?.held !== true) return false
  await client.query(
    `WITH due AS (DELETE FROM shelf_due WHERE at_ms <= (SELECT released_until($1)) RETURNING author, track)
     INSERT INTO catalogue_change (author, subject) SELECT author, track FROM due`,
    [nowMs],
  )
  const { rows: changes } = await client.query<{ author: string; subject: string }>(
    `DELETE FROM catalogue_change
     WHERE author IN (SELECT author FROM catalogue_change ORDER BY id LIMIT ${batch}) RETURNING author, subject`,
  )
  if (changes.length === 0) return false
  const others = await client.query<{ author: string }>(
    `SELECT DISTINCT author FROM playlist WHERE album AND tracks && $1::text[] LIMIT ${maximumOtherAuthors}`,
    [[...new Set(changes.map(({ subject }) => subject))]],
  )
  const authors = new Set([...changes, ...others.rows].map(({ author }) => author))
  for (const { text, values } of shelfQueries([...authors], nowMs)) await client.query(text, values)
  return changes.length >= batch
}

/** Make all that stands on the shelf for some authors, in this order. Their plans are held to indexes by a test. */
export function shelfQueries(
  authors: readonly string[],
  nowMs: number,
): { text: string; values: unknown[] }[] {
  return [
    ...timelessStatements.map((text) => ({ text, values: [authors] })),
    ...statementsAtATime.map((text) => ({ text, values: [authors, nowMs] })),
  ]
}

/** The condition under which a track stands on the shelf. */
const listed = (track: string) =>
  `NOT ${track}.unlisted AND ${track}.listed_at_ms <= (SELECT released_until($2))`

/** Of the authors in $1. */
const timelessStatements = [
  'DELETE FROM shelf_due WHERE author = ANY ($1)',
  'DELETE FROM shelf_album WHERE author = ANY ($1)',
  'DELETE FROM shelf_artist WHERE id = ANY ($1)',
]

/** Of the authors in $1, by the clock of a reader in $2 (ms). */
const statementsAtATime = [
  `INSERT INTO shelf_due (track, author, at_ms) SELECT t.id, t.author, t.listed_at_ms
   FROM track t WHERE t.author = ANY ($1) AND NOT t.unlisted AND t.listed_at_ms > (SELECT released_until($2))`,

  // Songs are many, and most stay where they are.
  `WITH home AS (
     SELECT DISTINCT ON (m.track) m.track, p.id AS album, m.place::int AS place
     FROM playlist p CROSS JOIN LATERAL unnest(p.tracks) WITH ORDINALITY AS m (track, place)
     WHERE p.author = ANY ($1) AND p.album AND NOT p.unlisted AND starts_with(m.track, p.author || '-')
     ORDER BY m.track, p.created_at_ms, p.id
   ), song AS (
     SELECT t.id, t.author, 'al-' || coalesce(h.album, t.author) AS album, h.place, t.listed_at_ms, t.genre_words
     FROM track t LEFT JOIN home h ON h.track = t.id
     WHERE t.author = ANY ($1) AND ${listed('t')}
   ), gone AS (
     DELETE FROM shelf_song s WHERE s.author = ANY ($1) AND NOT EXISTS (SELECT FROM song WHERE song.id = s.id)
   )
   INSERT INTO shelf_song AS s (id, author, album, place, created_at_ms, genre_words) SELECT * FROM song
   ON CONFLICT (id) DO UPDATE SET album = excluded.album, place = excluded.place,
     created_at_ms = excluded.created_at_ms, genre_words = excluded.genre_words
   WHERE (s.album, s.place, s.created_at_ms, s.genre_words)
     IS DISTINCT FROM (excluded.album, excluded.place, excluded.created_at_ms, excluded.genre_words)`,

  `WITH artist AS (${namesOfArtists()}), member AS (
     SELECT 'al-' || p.id AS id, p.author, p.title, t.listed_at_ms, t.id AS track, t.duration_ms, t.genre
     FROM playlist p CROSS JOIN LATERAL unnest(p.tracks) AS m (track) JOIN track t ON t.id = m.track
     WHERE p.author = ANY ($1) AND p.album AND NOT p.unlisted AND ${listed('t')}
     UNION ALL
     SELECT s.album, s.author, 'Singles', t.listed_at_ms, t.id, t.duration_ms, t.genre
     FROM shelf_song s JOIN track t ON t.id = s.id
     WHERE s.author = ANY ($1) AND s.album = 'al-' || s.author
   )
   INSERT INTO shelf_album (id, author, artist, title, song_count, duration_ms, genre, created_at_ms, plays, played_on)
   SELECT m.id, m.author, a.name, m.title, count(*), sum(m.duration_ms), mode() WITHIN GROUP (ORDER BY m.genre),
     max(m.listed_at_ms), coalesce(sum(played.plays), 0), max(played.day)
   FROM member m JOIN artist a ON a.id = m.author
   CROSS JOIN LATERAL (
     -- Those of songs that are at home here, so that a play counts once.
     SELECT sum(p.count) AS plays, max(p.day) AS day
     FROM play p JOIN shelf_song s ON s.id = p.track AND s.album = m.id WHERE p.track = m.track
   ) AS played
   GROUP BY m.id, m.author, a.name, m.title`,

  `INSERT INTO shelf_artist (id, name, album_count, picture, created_at_ms)
   SELECT a.id, a.name, (SELECT count(*) FROM shelf_album s WHERE s.author = a.id), a.picture, a.listed_at_ms
   FROM (${namesOfArtists()}) AS a`,
]

/** Authors in $1 that have listed tracks, by the clock in $2. */
function namesOfArtists(): string {
  return `
    SELECT asked.id, coalesce(p.name, p.handle, newest.artist) AS name, p.picture, newest.listed_at_ms
    FROM unnest($1::text[]) AS asked (id)
    CROSS JOIN LATERAL (
      SELECT t.artist, t.listed_at_ms FROM track t WHERE t.author = asked.id AND ${listed('t')}
      ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT 1
    ) AS newest
    LEFT JOIN profile p ON p.id = asked.id`
}
