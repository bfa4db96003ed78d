import { type LoadedTrack, loadTrack, type Manifest, renditionName } from '@hexachord/protocol/manifests'
import { unitMs, unitsOfBlocks } from '@hexachord/protocol/payments'
import { masterPlaylist, mediaPlaylist } from '@hexachord/protocol/playlists'
import type { PricedTrack, Track } from '@hexachord/protocol/rest'
import {
  createRetriever,
  type Fault,
  type Quality,
  RetrievalFailed,
  type Source,
} from '@hexachord/protocol/retrieval'
import type { Connection } from '../connect/index.ts'
import {
  type AccountPass,
  type KeyPlace,
  type PaidPlay,
  type PaidPlays,
  PaymentNeeded,
} from '../paying/index.ts'
import { gatedKeys } from './gated-keys.ts'
import { createOpenBlock, type TrackKeys } from './open-segments.ts'

/** By so much a rendition may be shorter than its manifest says. */
const strayMs = 3_000

export type OpenOptions = {
  readonly signal?: AbortSignal
  /** Hears of each source that failed or lied, also when another one then gave the block. */
  readonly onFault?: (fault: Fault) => void
  /** Pays for what costs something: `paidPlays(purse)`. @default nothing is paid, and only free tracks can be heard */
  readonly paying?: PaidPlays | undefined
  /** Gets the keys of a premium track. @default they are paid for, or it plays as far as it is in the clear */
  readonly keys?: TrackKeys | undefined
  /** Shows key holders whose account listens, where the artist lets only followers or holders of a token have the keys:
   * `accountPass(connection, account)`. No other node hears of it. */
  readonly pass?: AccountPass | undefined
  /** It is played as soon as it is open, from here on: what that costs is paid while it opens, before its manifest is there
   * where the index has said that it is no premium track, and spent also when it is not played after all. @default nothing is paid before a block is asked for */
  readonly playsFromMs?: number | undefined
}

/** A track that can be played: its manifest is here, and every further block can be had and is checked. */
export type OpenedTrack = {
  readonly loaded: LoadedTrack
  /** A block of the track, checked against its hash, and opened where it is encrypted: from its holders best first, then
   * from the creator nodes, then from public gateways; what costs something from the node that is paid.
   * @throws RetrievalFailed, PaymentNeeded, TrackLocked, DecryptError */
  block(cid: string, signal?: AbortSignal): Promise<{ bytes: Uint8Array; source: string }>
  /** Master playlist whose media playlists are named by `uri`. */
  master(uri: (index: number, name: string) => string): string
  media(index: number, uri: (cid: string, filename: string) => string): string
  /** How each source has done so far. */
  quality(): Quality[]
}

/** Fetches the manifest of a track from whoever has it: that is free.
 * @throws RetrievalFailed, ManifestError, and ApiError when there is a purse and nobody says what the track costs */
export async function openTrack(
  connection: Pick<Connection, 'http' | 'creators' | 'gateways'> & Partial<Pick<Connection, 'discover'>>,
  track: Pick<Track, 'id' | 'manifest' | 'holders'> &
    Partial<Pick<PricedTrack, 'terms' | 'premium' | 'durationMs'>>,
  options: OpenOptions = {},
): Promise<OpenedTrack> {
  const sources = [
    ...gatewaySources(
      track.holders.map(({ endpoint }) => endpoint.replace(/\/+$/, '')),
      0,
    ),
    ...gatewaySources(connection.creators, 1),
    ...gatewaySources(connection.gateways, 2),
  ]
  const retriever = createRetriever({
    fetch: connection.http,
    now: () => performance.now(),
    sources: () => sources,
  })
  const free = async (cid: string, signal?: AbortSignal) => {
    try {
      return await retriever.retrieve(cid, {
        ...(signal ? { signal } : {}),
        ...(options.onFault ? { onFault: options.onFault } : {}),
      })
    } catch (error) {
      const isUnpaid = error instanceof RetrievalFailed && error.faults.some(({ kind }) => kind === 'unpaid')
      if (isUnpaid) throw new PaymentNeeded('purse', { price: undefined }, { cause: error })
      throw error
    }
  }
  const { signal, onFault, paying, playsFromMs, pass } = options
  const asked = { track: track.id, told: track.terms, signal, onFault }
  const firstUnit = playsFromMs === undefined ? undefined : Math.floor(playsFromMs / unitMs)
  // Of a premium track keys are paid for: nobody is asked what the rest would cost.
  const isPremium = track.premium === true
  const selling = isPremium ? undefined : paying?.(asked)
  let sending: Promise<void> | undefined
  const prepare = (durationMs: number) => {
    if (firstUnit === undefined) return
    const lastUnit = Math.floor((durationMs - strayMs) / unitMs)
    const pay = (seller: PaidPlay | undefined) => {
      sending = seller?.prepare(firstUnit, lastUnit)
    }
    // Who waits for the seller hears why there is none.
    selling?.then(pay).catch(() => undefined)
  }
  const onManifest = ({ keyHolders, durationMs }: Manifest) => {
    // Of a premium track keys are paid for, where the key holders are asked.
    if (!keyHolders) prepare(durationMs)
  }
  // Where the index has read the manifest already nobody waits for it here. An index that is wrong costs what it would
  // by a wrong price: a unit or two, which the artist is paid.
  if (track.premium === false && track.durationMs !== undefined) prepare(track.durationMs)
  const read = async (cid: string) => {
    const { bytes } = await free(cid, signal)
    // To read a manifest keeps a browser busy for as long as a till needs: its payment is sent before.
    await sending
    return bytes
  }
  const [loaded, paid] = await Promise.all([loadTrack(track.manifest, read, { onManifest }), selling])
  const units = unitsOfBlocks(loaded)
  // Of a premium track keys are sold, and everybody may give the rest.
  const { keyHolders } = loaded.manifest
  const isSold = keyHolders && (isPremium || paid !== undefined)
  const keySeller = isSold ? await paying?.({ ...asked, among: keyHolders, pass }) : undefined
  const open = createOpenBlock(
    loaded,
    options.keys ??
      (keySeller &&
        ((place, tryKey) => keySeller.key(place, units.get(cidAt(loaded, place)) ?? 0, tryKey))) ??
      (keyHolders && pass && gatedKeys(connection, track, { keyHolders, pass, signal })),
  )
  // An index that calls it premium may be wrong.
  const seller = keyHolders ? undefined : isPremium ? await paying?.(asked) : paid
  const get = (cid: string, signal?: AbortSignal) => {
    const unit = units.get(cid)
    return seller === undefined || unit === undefined ? free(cid, signal) : seller.block(cid, unit, signal)
  }
  return {
    loaded,
    async block(cid, signal) {
      const { bytes, source } = await get(cid, signal)
      return { bytes: await open(cid, bytes), source }
    },
    master: (uri) =>
      masterPlaylist(loaded, { renditionUris: (index) => [uri(index, renditionName(loaded, index))] }),
    media: (index, uri) => mediaPlaylist(loaded, index, { segmentUri: uri, initUri: uri }),
    quality: () => retriever.quality(),
  }
}

function cidAt({ renditions }: LoadedTrack, { rendition, segment }: KeyPlace): string {
  return renditions[rendition]?.segments[segment]?.[2]['/'] ?? ''
}

function gatewaySources(origins: readonly string[], tier: number): Source[] {
  return [...new Set(origins)].map((origin) => ({
    id: origin,
    tier,
    url: (cid) => `${origin}/ipfs/${cid}?format=raw`,
  }))
}
