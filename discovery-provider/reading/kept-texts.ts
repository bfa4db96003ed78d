import { prepared } from '@hexachord/platform/postgres'
import { LRUCache } from 'lru-cache'
import { askTogether } from './ask-together.ts'
import type { Database } from './entity.ts'
import { playlistOf, type ReadPlaylistRow, selectPlaylists } from './playlists.ts'
import { type ReadTrackRow, selectTracks, trackOf } from './tracks.ts'
import { edition } from './watch-history.ts'

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
  /** In which it is so. */
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

/** Keeps the texts of tracks and playlists for as long as nothing changes of which they tell: lists of many readers name
 * the same ones.
 * @param atMost texts, of some 1.2 kB each
 * @param now ms
 * @returns texts by id, as they are in the given edition or a later one */
export function keepTexts({
  database,
  atMost,
  now,
}: {
  database: Database
  atMost: number
  now: () => number
}): (ids: readonly string[], edition: string | null) => Promise<ReadonlyMap<string, KeptText>> {
  const kept = new LRUCache<string, KeptText>({ max: atMost })
  let keptOf: string | null = null

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
    if (of === null) return texts
    if (of !== keptOf) kept.clear()
    keptOf = of
    for (const [id, text] of texts) kept.set(id, text)
    return texts
  }

  return async (ids, edition) => {
    const texts = new Map<string, KeptText>()
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

function textOf(answer: unknown): Buffer {
  return Buffer.from(JSON.stringify(answer))
}
