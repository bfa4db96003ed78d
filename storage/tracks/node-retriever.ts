import { FetchTooLarge, type WholeFetch } from '@hexachord/platform/http'
import {
  createRetriever,
  type Download,
  type Fetch,
  type Retriever,
  type RetrieverOptions,
  tooLarge,
} from '@hexachord/protocol/retrieval'
import { verifyBytes } from '../ipfs/index.ts'

/**
 * Retrieval on a node, where each block is hashed by the processor's own sha256, and taken in at once where the fetch can
 * do so.
 */
export function createNodeRetriever(
  options: Pick<RetrieverOptions, 'sources' | 'timeoutMs'> & {
    fetch: Fetch & Partial<Pick<WholeFetch, 'whole'>>
  },
): Retriever {
  const { whole } = options.fetch
  return createRetriever({
    ...options,
    ...(whole !== undefined && { download: downloadBy(whole) }),
    now: () => performance.now(),
    verify: verifyBytes,
  })
}

function downloadBy(whole: WholeFetch['whole']): Download {
  return async (url, init) => {
    try {
      const { status, headers, bytes } = await whole(url, init)
      const retryAfter = headers['retry-after']
      return { status, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined, bytes }
    } catch (error) {
      throw error instanceof FetchTooLarge ? tooLarge(error) : error
    }
  }
}
