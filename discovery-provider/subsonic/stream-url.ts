import type { Subject } from '@hexachord/protocol/names'
import type { Holder } from '@hexachord/protocol/rest'
import { type KeptAudio, renditionUpTo } from '../manifests/index.ts'
import { whyClosed } from '../reading/closed-audio.ts'
import type { Database } from '../reading/entity.ts'
import { gatewayOf, type LiveHolders } from '../reading/live-holders.ts'
import { audioPath, requireReleased } from '../reading/stream.ts'
import { readPricedTrack } from '../reading/tracks.ts'
import { SubsonicError } from './errors.ts'

/** Seconds after which a node that was restarted may be back. */
const retryAfterSeconds = 5

/** Where a player gets the audio of a track at this moment: the one place that decides so.
 * @param kbits the best rendition is given that has no more @default the usual one
 * @throws Problem 403 before its release, 404 or 410; SubsonicError for one that is not open, and when no node that
 * holds the track answers */
export async function streamUrl(
  { postgres, liveHolders, now }: { postgres: Database; liveHolders: LiveHolders; now: () => number },
  track: Subject,
  kbits?: number,
): Promise<URL> {
  const found = await readPricedTrack(postgres, track, now())
  await requireReleased(postgres, found, now())
  const closed = whyClosed(found)
  // Players show the message; none of them could pay.
  if (closed !== undefined) throw new SubsonicError('notAuthorized', closed)
  const { endpoint } = await requireHolder(liveHolders, found)
  const rendition = kbits === undefined ? undefined : await renditionFor(postgres, found.manifest, kbits)
  return new URL(gatewayOf(endpoint) + audioPath(found.manifest, { rendition }))
}

/** The name of a rendition; undefined for the usual one, and as long as the manifest has not been read. */
async function renditionFor(
  database: Database,
  manifest: string,
  kbits: number,
): Promise<string | undefined> {
  const { rows } = await database.query<{ audio: KeptAudio | null }>(
    'SELECT audio FROM manifest_seen WHERE manifest = $1',
    [manifest],
  )
  const audio = rows[0]?.audio
  if (!audio) return undefined
  const chosen = renditionUpTo(audio, kbits)
  return chosen === audio.renditions[0] ? undefined : chosen?.name
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
