import { type LoadedTrack, loadTrack, renditionName } from '@hexachord/protocol/manifests'
import { masterPlaylist, mediaPlaylist } from '@hexachord/protocol/playlists'
import type { Track } from '@hexachord/protocol/rest'
import { createRetriever, type Fault, type Quality, type Source } from '@hexachord/protocol/retrieval'
import type { Connection } from '../connect/index.ts'

export type OpenOptions = {
  readonly signal?: AbortSignal
  /** Hears of each source that failed or lied, also when another one then gave the block. */
  readonly onFault?: (fault: Fault) => void
}

/** A track that can be played: its manifest is here, and every further block can be had and is checked. */
export type OpenedTrack = {
  readonly loaded: LoadedTrack
  /** A block of the track, checked against its hash: from its holders best first, then from the creator
   * nodes, then from public gateways. @throws RetrievalFailed */
  block(cid: string, signal?: AbortSignal): Promise<{ bytes: Uint8Array; source: string }>
  /** Master playlist whose media playlists are named by `uri`. */
  master(uri: (index: number, name: string) => string): string
  media(index: number, uri: (cid: string, filename: string) => string): string
  /** How each source has done so far. */
  quality(): Quality[]
}

/** Fetches the manifest of a track from whoever has it. @throws RetrievalFailed, ManifestError */
export async function openTrack(
  connection: Connection,
  track: Pick<Track, 'manifest' | 'holders'>,
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
  const block = (cid: string, signal?: AbortSignal) =>
    retriever.retrieve(cid, {
      ...(signal ? { signal } : {}),
      ...(options.onFault ? { onFault: options.onFault } : {}),
    })
  const loaded = await loadTrack(track.manifest, async (cid) => (await block(cid, options.signal)).bytes)
  return {
    loaded,
    block,
    master: (uri) =>
      masterPlaylist(loaded, { renditionUris: (index) => [uri(index, renditionName(loaded, index))] }),
    media: (index, uri) => mediaPlaylist(loaded, index, { segmentUri: uri, initUri: uri }),
    quality: () => retriever.quality(),
  }
}

function gatewaySources(origins: readonly string[], tier: number): Source[] {
  return [...new Set(origins)].map((origin) => ({
    id: origin,
    tier,
    url: (cid) => `${origin}/ipfs/${cid}?format=raw`,
  }))
}
