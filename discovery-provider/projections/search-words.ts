import { type Statements, together } from '@hexachord/platform/postgres'
import { authorOf, type Subject } from '@hexachord/protocol/names'

/** Adds the words and tags of everything that is read. */
export async function noteAllWords(client: Statements): Promise<void> {
  await client.query(
    `INSERT INTO search_word SELECT lexicon(search) FROM track UNION SELECT lexicon(search) FROM playlist
     UNION SELECT lexicon(search) FROM profile ON CONFLICT DO NOTHING`,
  )
  await client.query(
    'INSERT INTO search_tag SELECT DISTINCT unnest(tag_words) FROM track ON CONFLICT DO NOTHING',
  )
}

/** Adds the words and tags of entities to those that can be found. Adding is all there is: a word too many does no harm.
 * @param subjects whatever of tracks, users and playlists has changed */
export async function noteWords(client: Statements, subjects: readonly Subject[]): Promise<void> {
  if (subjects.length === 0) return
  await together([
    client.query(
      `INSERT INTO search_word SELECT lexicon(search) FROM track WHERE id = ANY ($1)
       UNION SELECT lexicon(search) FROM playlist WHERE id = ANY ($1)
       UNION SELECT lexicon(search) FROM profile WHERE id = ANY ($2) ON CONFLICT DO NOTHING`,
      [subjects, [...new Set(subjects.map(authorOf))]],
    ),
    client.query(
      `INSERT INTO search_tag SELECT DISTINCT unnest(tag_words) FROM track WHERE id = ANY ($1) ON CONFLICT DO NOTHING`,
      [subjects],
    ),
  ])
}
