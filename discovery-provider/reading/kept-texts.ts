import { prepared } from '@hexachord/platform/postgres'
import { authorOf, isSubject, numberOf, type Subject, userNumber } from '@hexachord/protocol/names'
import { LRUCache } from 'lru-cache'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'
import { playlistOf, type ReadPlaylistRow, selectPlaylists } from './playlists.ts'
import { type ReadTrackRow, selectTracks, trackOf } from './tracks.ts'
import { type Changed, edition } from './watch-history.ts'

/** A track or a playlist as it goes out, and what decides whether it does. */
export type KeptText = {
  /** `none`: there is nothing of this name, and nothing is told of it. */
  readonly kind: 'track' | 'playlist' | 'none'
  /** In UTF-8. */
  readonly json: Buffer
  readonly unlisted: boolean
  readonly releaseAtMs: number | null
  /** When another price comes into force. */
  readonly untilMs: number
  /** In which it was read. */
  readonly edition: string | null
}

/** Texts that are read by one statement. */
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

/** Also of what is no playlist: then its columns are null. */
export const keptPlaylistsStatement = prepared(
  'playlists of an edition',
  `${selectPlaylists}, asked.id AS asked, ${edition} AS edition
   FROM unnest((SELECT $1::text[])) AS asked (id) LEFT JOIN playlist p ON p.id = asked.id`,
)

type Edition = { readonly edition: string | null }
type KeptTrackRow = ReadTrackRow & Edition & { readonly due_in_ms: number | null }
type KeptPlaylistRow = Edition & { readonly asked: string } & (ReadPlaylistRow | { readonly id: null })

/** Texts of tracks and playlists that are kept for as long as nothing changes of which they tell: lists of many readers
 * name the same ones. */
export type KeptTexts = {
  /** By id, as they are in the given edition or a later one; and whether all are as they are in the given one. */
  of(
    ids: readonly string[],
    edition: string | null,
  ): Promise<{ texts: ReadonlyMap<string, KeptText>; isOfEdition: boolean }>
  forget(subjects: Changed['subjects']): void
}

/** @param atMost texts, of some 1.2 kB each
 * @param current the edition that was seen last; what was read in another one is not kept
 * @param now ms */
export function keepTexts({
  database,
  atMost,
  current,
  now,
}: {
  database: Database
  atMost: number
  current: () => string | null
  now: () => number
}): KeptTexts {
  const kept = new LRUCache<string, KeptText>({ max: atMost })

  const ask = askTogether<string, KeptText>({
    atMost: readTogether,
    async read(ids) {
      const tracks = await readTracks(ids)
      const others = ids.filter((id) => !tracks.has(id))
      return others.length === 0 ? tracks : new Map([...tracks, ...(await readPlaylists(others))])
    },
  })

  async function readTracks(ids: readonly string[]): Promise<Map<string, KeptText>> {
    const askedMs = now()
    const { rows } = await database.query<KeptTrackRow>(keptTracksStatement, [ids])
    return keep(rows[0]?.edition ?? null, rows, (row) => {
      const track = trackOf(row)
      const { unlisted, releaseAtMs } = track
      const untilMs = row.due_in_ms === null ? Number.POSITIVE_INFINITY : askedMs + row.due_in_ms
      return [row.id, { kind: 'track', json: textOf(track), unlisted, releaseAtMs, untilMs }]
    })
  }

  async function readPlaylists(ids: readonly string[]): Promise<Map<string, KeptText>> {
    const { rows } = await database.query<KeptPlaylistRow>(keptPlaylistsStatement, [ids])
    return keep(rows[0]?.edition ?? null, rows, (row) => {
      const times = { releaseAtMs: null, untilMs: Number.POSITIVE_INFINITY }
      if (row.id === null)
        return [row.asked, { kind: 'none', json: Buffer.alloc(0), unlisted: true, ...times }]
      const playlist = playlistOf(row)
      const { unlisted } = playlist
      return [row.asked, { kind: 'playlist', json: textOf(playlist), unlisted, ...times }]
    })
  }

  /** Rows of one statement are all of one edition. */
  function keep<Row>(
    of: string | null,
    rows: readonly Row[],
    entryOf: (row: Row) => readonly [id: string, text: Omit<KeptText, 'edition'>],
  ): Map<string, KeptText> {
    const texts = new Map<string, KeptText>()
    for (const row of rows) {
      const [id, text] = entryOf(row)
      texts.set(id, { ...text, edition: of })
    }
    if (of === null || of !== current()) return texts
    for (const [id, text] of texts) kept.set(id, text)
    return texts
  }

  return {
    async of(ids, edition) {
      const texts = new Map<string, KeptText>()
      const unknown: string[] = []
      const nowMs = now()
      let isOfEdition = edition !== null && edition === current()
      for (const id of new Set(ids)) {
        const text = kept.get(id)
        if (text === undefined || text.untilMs <= nowMs) unknown.push(id)
        else texts.set(id, text)
      }
      if (unknown.length === 0) return { texts, isOfEdition }
      const read = await Promise.all(unknown.map(ask))
      for (const [place, id] of unknown.entries()) {
        const text = read[place]
        isOfEdition &&= text?.edition === edition
        if (text !== undefined) texts.set(id, text)
      }
      return { texts, isOfEdition }
    },
    forget(subjects) {
      if (subjects === 'all') {
        kept.clear()
        return
      }
      for (const id of subjects) kept.delete(id)
      // Texts of tracks tell the name of their author.
      const named = new Set(subjects.filter(isUser).map(authorOf))
      if (named.size === 0) return
      for (const id of kept.keys()) if (named.has(authorOf(id as Subject))) kept.delete(id)
    },
  }
}

function isUser(subject: string): subject is Subject {
  return isSubject(subject) && numberOf(subject) === userNumber
}

function textOf(answer: unknown): Buffer {
  return Buffer.from(JSON.stringify(answer))
}
