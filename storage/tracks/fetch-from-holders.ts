import type { GuardedFetch } from '@hexachord/platform/http'
import type { Address, Subject } from '@hexachord/protocol/names'
import { LRUCache } from 'lru-cache'
import { type Catalogue, liveTrack } from '../catalogue/index.ts'
import { gatewaySource } from './block-sources.ts'
import { otherHolders } from './holders.ts'
import { createNodeRetriever } from './node-retriever.ts'

/** Per holder and block: a listener waits for it. */
const timeoutMs = 8_000
/** Tracks that are heard here and held elsewhere; each remembers how its holders have done. */
const tracksKept = 1_024

/**
 * Gets blocks of tracks from the operators that hold them, for a listener who pays this one. What comes is hashed before
 * anybody sees it, and nothing is stored.
 * @param options.fetch signs as a peer, see `createPeerFetch`
 * @param options.self this node's operator, which is not asked
 * @returns a function that throws RetrievalFailed, and the signal's reason
 */
export function fetchFromHolders(options: {
  catalogue: Pick<Catalogue, 'operators' | 'ranks' | 'subject'>
  fetch: GuardedFetch
  self: Address
}): (subject: Subject, cid: string, signal: AbortSignal) => Promise<Uint8Array> {
  const { catalogue, fetch, self } = options
  const retrievers = new LRUCache<Subject, ReturnType<typeof createNodeRetriever>>({ max: tracksKept })

  function sourcesOf(subject: Subject) {
    const track = liveTrack(subject, catalogue.subject(subject))
    return track === undefined
      ? []
      : otherHolders(track, catalogue, self).map(({ endpoint }) => gatewaySource(endpoint))
  }

  return async (subject, cid, signal) => {
    const known = retrievers.get(subject)
    const retriever = known ?? createNodeRetriever({ fetch, timeoutMs, sources: () => sourcesOf(subject) })
    if (known === undefined) retrievers.set(subject, retriever)
    return (await retriever.retrieve(cid, { signal })).bytes
  }
}
