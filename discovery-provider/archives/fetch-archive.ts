import type { GuardedFetch } from '@hexachord/platform/http'
import {
  type Archive,
  type ArchivedBlock,
  archivedBlocks,
  decodeArchive,
  partsOf,
} from '@hexachord/protocol/archives'
import { createRetriever, type Retriever } from '@hexachord/protocol/retrieval'

export type FetchedArchive = {
  readonly archive: Archive
  /** Its blocks, fetched as they are asked for. @throws RetrievalFailed, ArchiveError */
  blocks(): AsyncGenerator<ArchivedBlock, void, undefined>
}

/** Gets blocks from any of these gateways, by hash. It remembers which of them lied. */
export function gatewayRetriever(origins: readonly string[], fetch: GuardedFetch): Retriever {
  return createRetriever({
    fetch,
    now: () => performance.now(),
    sources: () =>
      origins.map((origin) => ({ id: origin, url: (cid) => `${origin}/ipfs/${cid}?format=raw` })),
  })
}

/** @throws RetrievalFailed, ArchiveError, CidError */
export async function fetchArchive(
  root: string,
  retriever: Pick<Retriever, 'retrieve'>,
  signal: AbortSignal,
): Promise<FetchedArchive> {
  const block = async (cid: string) => (await retriever.retrieve(cid, { signal })).bytes
  const archive = decodeArchive(await block(root))
  async function* parts() {
    for (const { '/': cid } of partsOf(archive)) yield await block(cid)
  }
  return { archive, blocks: () => archivedBlocks(parts()) }
}
