import { createRetriever, type Retriever, type RetrieverOptions } from '@hexachord/protocol/retrieval'
import { verifyBytes } from '../ipfs/index.ts'

/** Retrieval on a node, where each block is hashed by the processor's own sha256. */
export function createNodeRetriever(
  options: Pick<RetrieverOptions, 'fetch' | 'sources' | 'timeoutMs'>,
): Retriever {
  return createRetriever({ ...options, now: () => performance.now(), verify: verifyBytes })
}
