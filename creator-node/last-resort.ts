import type { GuardedFetch } from '@hexachord/platform/http'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { createNodeRetriever, gatewaySource } from '@hexachord/storage/tracks'

/** Operators that are asked for one block: those with the most room have the most blocks. */
const asked = 8
const timeoutMs = 8_000

/**
 * Gets blocks that are not here from operators that offer room, so that a listener who reaches nobody else is served.
 * Nothing is stored. Nodes without room, such as this one, are not asked: two of them would ask each other.
 */
export function lastResort(options: {
  catalogue: Pick<Catalogue, 'operators'>
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
  return async (cid, signal) => (await retriever.retrieve(cid, { signal })).bytes
}
