import type { GuardedFetch } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import { decodeManifest } from '@hexachord/protocol/manifests'
import { readFromHolders } from '../manifests/read-from-holders.ts'
import { alikeBelowPerMille, compare, type Fingerprint, fingerprintOf, keysOf } from './compare.ts'

/** Tracks that are read in one round, one after the other: nobody waits for them. */
const batchTracks = 20
/** Waits double from a minute; after these attempts, some days, nobody has it. */
const maximumAttempts = 12
const minuteMs = 60_000

/** Tracks that may be alike, by the keys that they share. */
const maximumCandidates = 50
const leastSharedKeys = 2

type Due = { track: string; attempts: number; manifest: string | null; gateways: string[] }

/** Reads fingerprints of tracks that are due from the nodes that hold them, and keeps which tracks are alike.
 * @returns how many were due */
export async function readDue(
  postgres: Postgres,
  { fetch, nowMs, signal }: { fetch: GuardedFetch; nowMs: number; signal: AbortSignal },
): Promise<number> {
  const { rows } = await postgres.query<Due>(
    `SELECT d.track, d.attempts, t.manifest,
       ARRAY(SELECT o.gateway FROM operator o WHERE o.id = ANY (t.operators) AND o.gateway IS NOT NULL) AS gateways
     FROM fingerprint_due d LEFT JOIN track t ON t.id = d.track
     WHERE d.at_ms <= $1 ORDER BY d.at_ms LIMIT ${batchTracks}`,
    [nowMs],
  )
  for (const due of rows) {
    signal.throwIfAborted()
    const read =
      due.manifest === null ? undefined : await readFingerprint(due.manifest, due.gateways, { fetch, signal })
    if (read === 'away' && due.attempts < maximumAttempts) await postpone(postgres, due, nowMs)
    else await keep(postgres, due, read === 'away' ? undefined : read)
  }
  return rows.length
}

/** @returns undefined where the manifest has none, `away` while nobody gives it */
function readFingerprint(
  manifest: string,
  gateways: readonly string[],
  options: { fetch: GuardedFetch; signal: AbortSignal },
): Promise<Fingerprint | undefined | 'away'> {
  return readFromHolders(gateways, options, async (get) => {
    const { fingerprint } = decodeManifest(await get(manifest))
    if (fingerprint === undefined) return undefined
    const bytes = await get(fingerprint.data['/'])
    // The manifest's word is bounded; a longer block would be work without end.
    return bytes.length === fingerprint.byteLength ? fingerprintOf(bytes) : undefined
  })
}

async function postpone(postgres: Postgres, { track, attempts }: Due, nowMs: number): Promise<void> {
  await postgres.query('UPDATE fingerprint_due SET attempts = attempts + 1, at_ms = $2 WHERE track = $1', [
    track,
    nowMs + minuteMs * 2 ** attempts,
  ])
}

/** Puts a track's fingerprint in place of an earlier one, with all that is alike. */
async function keep(
  postgres: Postgres,
  { track, manifest }: Due,
  items: Fingerprint | undefined,
): Promise<void> {
  await postgres.transaction(async (client) => {
    await client.query('DELETE FROM fingerprint_due WHERE track = $1', [track])
    await client.query('DELETE FROM likeness WHERE track = $1 OR other = $1', [track])
    await client.query('DELETE FROM fingerprint WHERE track = $1', [track])
    if (items === undefined) return
    const keys = keysOf(items)
    await client.query('INSERT INTO fingerprint (track, manifest, items, keys) VALUES ($1, $2, $3, $4)', [
      track,
      manifest,
      [...items],
      keys,
    ])
    const { text, values } = candidatesQuery(track, keys)
    const { rows } = await client.query<{ track: string; items: number[] }>(text, values)
    for (const other of rows) {
      const found = compare(items, Int32Array.from(other.items))
      if (found === undefined || found.errorsPerMille >= alikeBelowPerMille) continue
      await client.query(
        'INSERT INTO likeness (track, other, errors_per_mille, offset_items) VALUES ($1, $2, $3, $4), ($2, $1, $3, -$4)',
        [track, other.track, found.errorsPerMille, found.offsetItems],
      )
    }
  })
}

/** Fingerprints that share keys, most first; the plan is held to the index by a test. */
export function candidatesQuery(track: string, keys: readonly number[]): { text: string; values: unknown[] } {
  return {
    text: `SELECT c.track, c.items FROM (
       SELECT f.track, f.items, (SELECT count(*) FROM unnest(f.keys) AS key WHERE key = ANY ($2::int[])) AS shared
       FROM fingerprint f WHERE f.keys && $2::int[] AND f.track <> $1
     ) AS c WHERE c.shared >= ${leastSharedKeys} ORDER BY c.shared DESC, c.track LIMIT ${maximumCandidates}`,
    values: [track, keys],
  }
}
