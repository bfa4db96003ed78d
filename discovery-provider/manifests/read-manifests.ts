import type { GuardedFetch } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import { loadTrack, type Manifest } from '@hexachord/protocol/manifests'
import { audioOf, type KeptAudio } from './kept-audio.ts'
import { readFromHolders } from './read-from-holders.ts'

/** Manifests read at one time: some kB each. */
const batchTracks = 16
/** Waits double from a second; after these attempts, some days, nobody has it. */
const maximumAttempts = 18
const secondMs = 1_000

/** One size of a cover, as it is kept. */
export type KeptCover = { readonly cid: string; readonly type: string; readonly width: number }

/** What is kept of a manifest. */
type Kept = {
  readonly keyHolders: readonly string[]
  readonly covers: readonly KeptCover[]
  /** Undefined while nobody gives the renditions. */
  readonly audio?: KeptAudio | undefined
}

type Due = {
  track: string
  attempts: number
  /** Null for a track that is gone. */
  manifest: string | null
  seen: boolean
  gateways: string[]
}

/** Reads manifests of tracks that are due from the nodes that hold them, and keeps what they say.
 * @returns how many were due */
export async function readManifests(
  postgres: Postgres,
  { fetch, nowMs, signal }: { fetch: GuardedFetch; nowMs: number; signal: AbortSignal },
): Promise<number> {
  const { rows } = await postgres.query<Due>(
    `SELECT d.track, d.attempts, t.manifest, m.audio IS NOT NULL AS seen,
       ARRAY(SELECT o.gateway FROM operator o WHERE o.id = ANY (t.operators) AND o.gateway IS NOT NULL) AS gateways
     FROM manifest_due d LEFT JOIN track t ON t.id = d.track LEFT JOIN manifest_seen m ON m.manifest = t.manifest
     WHERE d.at_ms <= $1 ORDER BY d.at_ms LIMIT ${batchTracks}`,
    [nowMs],
  )
  await Promise.all(
    rows.map(async (due) => {
      const { manifest, seen, gateways } = due
      const kept =
        manifest === null || seen ? undefined : await readKept(manifest, gateways, { fetch, signal })
      if (kept !== 'away') await keepManifest(postgres, due, kept)
      // Whoever asks whether a track is premium does not wait for its renditions.
      if (kept === 'away' || (kept !== undefined && kept.audio === undefined))
        await postpone(postgres, due, nowMs)
    }),
  )
  return rows.length
}

/** @returns undefined where there is no manifest under the name, `away` while nobody gives it */
async function readKept(
  cid: string,
  gateways: readonly string[],
  parts: { fetch: GuardedFetch; signal: AbortSignal },
): Promise<Kept | undefined | 'away'> {
  const heard: { manifest?: Manifest } = {}
  const onManifest = (manifest: Manifest) => {
    heard.manifest = manifest
  }
  const track = await readFromHolders(gateways, parts, (get) => loadTrack(cid, get, { onManifest }))
  if (heard.manifest === undefined) return track === 'away' ? 'away' : undefined
  const { keyHolders = [], cover = [] } = heard.manifest
  const covers = cover.map(({ image, type, width }) => ({ cid: image['/'], type, width }))
  return {
    keyHolders,
    covers: covers.sort((a, b) => a.width - b.width),
    ...(track !== 'away' && { audio: track === undefined ? { renditions: [] } : audioOf(track) }),
  }
}

async function postpone(postgres: Postgres, { track, attempts }: Due, nowMs: number): Promise<void> {
  if (attempts >= maximumAttempts) {
    await postgres.query('DELETE FROM manifest_due WHERE track = $1 AND attempts = $2', [track, attempts])
    return
  }
  await postgres.query(
    'UPDATE manifest_due SET attempts = attempts + 1, at_ms = $3 WHERE track = $1 AND attempts = $2',
    [track, attempts, nowMs + secondMs * 2 ** attempts],
  )
}

/** The track may have got another manifest while this one was read: then it stays due, as it does without its audio. */
export async function keepManifest(
  postgres: Postgres,
  { track, manifest }: Pick<Due, 'track' | 'manifest'>,
  kept: Kept | undefined,
): Promise<void> {
  await postgres.query(
    `WITH seen AS (
       INSERT INTO manifest_seen AS s (manifest, key_holders, covers, audio)
       SELECT $2::text, $3::text[], $4::jsonb, $5::jsonb WHERE $3::text[] IS NOT NULL
       ON CONFLICT (manifest) DO UPDATE SET covers = excluded.covers, audio = excluded.audio
       WHERE s.covers IS NULL OR s.audio IS NULL AND excluded.audio IS NOT NULL RETURNING 1
     ), told AS (
       INSERT INTO beside_version AS v (version) SELECT 1 WHERE EXISTS (TABLE seen)
       ON CONFLICT (only_row) DO UPDATE SET version = v.version + 1
     )
     DELETE FROM manifest_due d WHERE d.track = $1 AND ($3::text[] IS NULL OR $5::jsonb IS NOT NULL)
       AND NOT EXISTS (SELECT FROM track t WHERE t.id = d.track AND t.manifest IS DISTINCT FROM $2::text)`,
    [
      track,
      manifest,
      kept?.keyHolders ?? null,
      kept ? JSON.stringify(kept.covers) : null,
      kept?.audio ? JSON.stringify(kept.audio) : null,
    ],
  )
}
