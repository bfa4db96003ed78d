import type { Subject } from '@hexachord/protocol/names'
import type { Holder } from '@hexachord/protocol/rest'
import { whyClosed } from '../reading/closed-audio.ts'
import type { Database } from '../reading/entity.ts'
import { gatewayOf, type LiveHolders } from '../reading/live-holders.ts'
import { requireReleased } from '../reading/stream.ts'
import { readPricedTrack } from '../reading/tracks.ts'
import { SubsonicError } from './errors.ts'

/** Seconds after which a node that was restarted may be back. */
const retryAfterSeconds = 5

/** Where a player gets the audio of a track at this moment: the one place that decides so.
 * @throws Problem 403 before its release, 404 or 410; SubsonicError for one that is not open, and when no node that
 * holds the track answers */
export async function streamUrl(
  { postgres, liveHolders, now }: { postgres: Database; liveHolders: LiveHolders; now: () => number },
  track: Subject,
): Promise<URL> {
  const found = await readPricedTrack(postgres, track, now())
  await requireReleased(postgres, found, now())
  const closed = whyClosed(found)
  // Players show the message; none of them could pay.
  if (closed !== undefined) throw new SubsonicError('notAuthorized', closed)
  const { endpoint } = await requireHolder(liveHolders, found)
  return new URL(`${gatewayOf(endpoint)}/audio/${found.manifest}`)
}

/** One that answers at this moment.
 * @throws SubsonicError with status 503 when no node that holds the track does */
export async function requireHolder(
  liveHolders: LiveHolders,
  { manifest, holders }: { readonly manifest: string; readonly holders: readonly Holder[] },
): Promise<Holder> {
  const holder = await liveHolders.find(manifest, holders)
  if (holder !== undefined) return holder
  const message = `none of the ${holders.length} nodes that hold the track answers at this moment; try again in a few seconds`
  throw new SubsonicError('generic', message, { status: 503, retryAfterSeconds })
}
