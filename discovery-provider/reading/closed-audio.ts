import { Problem } from '@hexachord/platform/http'
import type { PricedTrack, Track } from '@hexachord/protocol/rest'
import type { Database } from './entity.ts'
import { gatewayOf, type LiveHolders } from './live-holders.ts'

/** Whether programs that know nothing of us can play a track: not what is encrypted, nor what costs something. */
export function isOpen({ premium, priced }: Pick<Track, 'premium' | 'priced'>): boolean {
  return premium !== true && !priced
}

/** Why such programs cannot play a track, for people; undefined for one that is open. */
export function whyClosed({ premium, terms }: Pick<PricedTrack, 'premium' | 'terms'>): string | undefined {
  const price = terms === null ? 0n : BigInt(terms.unitPrice)
  const through = 'hear it by `hexachord play`, or through an app or bridge made with @hexachord/sdk'
  if (terms !== null && price > 0n) {
    const encrypted = premium ? 'is encrypted and ' : ''
    return `the track ${encrypted}costs ${decimal(price, terms.currency.decimals)} of the token ${terms.currency.token} per 6 s: ${through}`
  }
  if (premium !== true) return undefined
  return `the track is encrypted, and its key holders say who may have the keys: ${through}`
}

/** Refuses audio that a program would only fail with at the node to which it is sent. As one file a track that is not
 * encrypted can be bought there by x402, so that is left to the node.
 * @throws Problem 402 for what costs something, 403 for what is encrypted; both say where its playlists are, which
 * play with a session of such a node */
export async function requireOpen(
  { database, liveHolders }: { database: Database; liveHolders: LiveHolders },
  track: PricedTrack,
  form: 'file' | 'playlist',
): Promise<void> {
  const detail = whyClosed(track)
  const { id, manifest, premium, priced, terms } = track
  if (detail === undefined || (form === 'file' && premium !== true)) return
  const gateways = premium
    ? await readKeyGateways(database, manifest)
    : liveHolders.notAway(manifest, track.holders).map(({ endpoint }) => endpoint)
  const playlists = gateways.map((endpoint) => `${gatewayOf(endpoint)}/hls/${manifest}/master.m3u8`)
  // To pay for an encrypted track makes no file of it.
  if (priced && form === 'playlist') {
    const price = { unitPrice: terms?.unitPrice, currency: terms?.currency }
    throw new Problem({
      status: 402,
      slug: 'payment-required',
      title: 'Payment required',
      detail,
      members: { subject: id, premium, ...price, playlists },
    })
  }
  throw new Problem({ status: 403, slug: 'premium', detail, members: { subject: id, playlists } })
}

/** Where key holders of a premium track answer. */
async function readKeyGateways(database: Database, manifest: string): Promise<string[]> {
  const { rows } = await database.query<{ gateway: string }>(
    `SELECT o.gateway FROM manifest_seen m JOIN operator o ON o.id = ANY (m.key_holders)
     WHERE m.manifest = $1 AND o.active AND o.gateway IS NOT NULL ORDER BY array_position(m.key_holders, o.id)`,
    [manifest],
  )
  return rows.map(({ gateway }) => gateway)
}

/** Base units as people write them. */
function decimal(amount: bigint, decimals: number): string {
  const digits = String(amount).padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}
