import { kinds } from '@hexachord/protocol/actions'
import type { Track } from '@hexachord/protocol/rest'
import type { Database } from '../reading/entity.ts'
import { releasedUntil } from '../reading/related-tracks.ts'
import { readTracks } from '../reading/tracks.ts'

/** A place on the chain. */
export type Place = { readonly block: number; readonly logIndex: number }

export type TrackNews = { readonly place: Place; readonly track: Track }

/** Actions that are looked through at one time: each takes a row of its index. */
const actionsPerPage = 500

/**
 * Tracks that were published or changed after a place, up to the end of a block, in the order of the chain. One that was changed again, deleted
 * or unlisted since is left out: what it is now comes later, or not at all. So is one whose release is still to come.
 * @param nowMs the reader's clock
 * @returns the news, and how far it was looked; `more` when there may be further ones already
 */
export async function tracksAfter(
  database: Database,
  after: Place,
  lastBlock: number,
  nowMs: number,
): Promise<{ news: TrackNews[]; upTo: Place; more: boolean }> {
  const { rows } = await database.query<ActionRow>(
    `SELECT block, log_index, hash, kind, subject, verdict FROM action
     WHERE (block, log_index) > ($1, $2) AND block <= $3 ORDER BY block, log_index LIMIT ${actionsPerPage}`,
    [after.block, after.logIndex, lastBlock],
  )
  const published = rows.filter(({ kind, verdict }) => kind === kinds.track.number && verdict === 'applied')
  const tracks = await readTracks(
    database,
    published.map(({ subject }) => subject),
  )
  const untilMs = tracks.length === 0 ? nowMs : await releasedUntil(database, nowMs)
  const told = tracks.filter(({ unlisted, releaseAtMs }) => !unlisted && (releaseAtMs ?? 0) <= untilMs)
  const byDigest = new Map(told.map((track) => [track.last.digest as string, track]))
  const last = rows.at(-1)
  return {
    news: published.flatMap((row) => {
      const track = byDigest.get(row.hash)
      return track === undefined ? [] : [{ place: placeOf(row), track }]
    }),
    upTo: last === undefined ? after : placeOf(last),
    more: rows.length === actionsPerPage,
  }
}

type ActionRow = {
  readonly block: number
  readonly log_index: number
  readonly hash: string
  readonly kind: number
  readonly subject: string
  readonly verdict: string
}

function placeOf({ block, log_index }: ActionRow): Place {
  return { block, logIndex: log_index }
}
