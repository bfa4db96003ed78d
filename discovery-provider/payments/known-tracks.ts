import type { PostgresClient } from '@hexachord/platform/postgres'
import type { Address, Subject } from '@hexachord/protocol/names'
import type { Terms } from '@hexachord/protocol/payments'

/** A track as TrackRegistry knows it. */
export type KnownTrack = {
  owner: Address
  readonly terms: Map<number, KnownTerms>
}

export type KnownTerms = Terms & {
  /** Unix seconds. */
  readonly effectiveAt: number
  /** Block in which they were set, and in which they were dropped before they came into force. */
  readonly block: number
  droppedBlock: number | null
}

/** Number of the terms in force at a time (unix seconds), as TrackRegistry has it; undefined before the first. */
export function versionInForce({ terms }: KnownTrack, at: number): number | undefined {
  const inForce = [...terms].filter(
    ([, { effectiveAt, droppedBlock }]) => effectiveAt <= at && droppedBlock === null,
  )
  return inForce.length === 0 ? undefined : Math.max(...inForce.map(([version]) => version))
}

/** A row of `track_terms`. */
export type TermsRow = {
  track: Subject
  version: number
  unit_price: string
  node_bps: number
  curator_bps: number
  payees: Address[]
  payee_bps: number[]
  effective_at: number
  block: number
  dropped_block: number | null
}

/** Tracks as they stand after what is indexed; those that nobody has registered are left out. */
export async function readKnownTracks(
  client: Pick<PostgresClient, 'query'>,
  tracks: readonly Subject[],
): Promise<Map<Subject, KnownTrack>> {
  const known = new Map<Subject, KnownTrack>()
  if (tracks.length === 0) return known
  const owners = await client.query<{ track: Subject; owner: Address }>(
    `SELECT DISTINCT ON (track) track, owner FROM track_owner WHERE track = ANY($1)
     ORDER BY track, block DESC, log_index DESC`,
    [tracks],
  )
  for (const { track, owner } of owners.rows) known.set(track, { owner, terms: new Map() })
  const { rows } = await client.query<TermsRow>('SELECT * FROM track_terms WHERE track = ANY($1)', [tracks])
  for (const row of rows) {
    known.get(row.track)?.terms.set(row.version, {
      unitPrice: BigInt(row.unit_price),
      nodeBps: row.node_bps,
      curatorBps: row.curator_bps,
      payees: row.payees,
      payeeBps: row.payee_bps,
      effectiveAt: row.effective_at,
      block: row.block,
      droppedBlock: row.dropped_block,
    })
  }
  return known
}
