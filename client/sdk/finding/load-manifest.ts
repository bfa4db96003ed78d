import { type LoadedTrack, loadTrack } from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import { createRetriever } from '@hexachord/protocol/retrieval'
import type { Connection } from '../connect/index.ts'

/** The manifest of a track with its renditions, each checked against its hash: from its holders, else from creator nodes.
 * @throws RetrievalFailed, ManifestError, and the signal's reason */
export function loadManifest(
  { http, creators }: Pick<Connection, 'http' | 'creators'>,
  { manifest, holders }: Pick<Track, 'manifest'> & { readonly holders: readonly { endpoint: string }[] },
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<LoadedTrack> {
  const held = holders.map(({ endpoint }) => endpoint.replace(/\/+$/, ''))
  const sources = [...new Set([...held, ...creators])].map((origin) => ({
    id: origin,
    tier: held.includes(origin) ? 0 : 1,
    url: (cid: string) => `${origin}/ipfs/${cid}?format=raw`,
  }))
  const retriever = createRetriever({ fetch: http, now: () => performance.now(), sources: () => sources })
  return loadTrack(manifest, async (cid) => (await retriever.retrieve(cid, signal ? { signal } : {})).bytes)
}
