import type { GuardedFetch } from '@hexachord/platform/http'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { BlockNotFound } from '@hexachord/storage/ipfs'
import { createNodeRetriever, gatewaySource } from '@hexachord/storage/tracks'

/** Operators that are asked for one block: those with the most room have the most blocks. */
const asked = 8
const timeoutMs = 8_000

/**
 * Gets blocks that are not here from operators that offer room, so that a listener who reaches nobody else is served.
 * Nothing is stored. Nodes without room, such as this one, are not asked: two of them would ask each other.
 * @param options.fetchPaid gets a block of a track that somebody pays for here; BlockNotFound for any other
 * @param options.fetch asks as anybody could: asked as a node, others would give for nothing what then costs nothing here
 */
export function lastResort(options: {
  catalogue: Pick<Catalogue, 'operators'>
  fetchPaid?: ((cid: string, signal: AbortSignal) => Promise<Uint8Array>) | undefined
  fetch: GuardedFetch
}): (cid: string, signal: AbortSignal) => Promise<Uint8Array> {
  const retriever = createNodeRetriever({
    fetch: options.fetch,
    timeoutMs,
    sources: () =>
      [...options.catalogue.operators().values()]
        .filter(({ active, capacityBytes }) => active && capacityBytes > 0n)
        .sort((a, b) =>
          a.capacityBytes === b.capacityBytes ? 0 : a.capacityBytes > b.capacityBytes ? -1 : 1,
        )
        .slice(0, asked)
        .map(({ endpoint }) => gatewaySource(endpoint)),
  })
  return async (cid, signal) => {
    try {
      if (options.fetchPaid !== undefined) return await options.fetchPaid(cid, signal)
    } catch (error) {
      if (!(error instanceof BlockNotFound)) throw error
    }
    return (await retriever.retrieve(cid, { signal })).bytes
  }
}
