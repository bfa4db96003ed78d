import { FetchFailed, type GuardedFetch } from '@hexachord/platform/http'
import {
  type ArchivedBlock,
  archivedBlocks,
  archiveEntrySchema,
  decodeArchive,
  partsOf,
} from '@hexachord/protocol/archives'
import { checked } from '@hexachord/protocol/checked'
import { listOf } from '@hexachord/protocol/rest'
import { createNodeRetriever, gatewaySource } from '../tracks/index.ts'

const listSchema = listOf(archiveEntrySchema)
const listTimeoutMs = 8_000
const listBytes = 64 * 1024
/** Peers that are asked for one archive. */
const askedPeers = 12

/**
 * Roots that peers name for an epoch, those first that most of them name.
 * @param origins of their gateways
 */
export async function rootsAtPeers(
  epoch: number,
  origins: readonly string[],
  { fetch, signal }: { fetch: GuardedFetch; signal: AbortSignal },
): Promise<string[]> {
  const named = await Promise.all(
    origins.slice(0, askedPeers).map((origin) => rootAt(origin, epoch, { fetch, signal })),
  )
  const votes = new Map<string, number>()
  for (const root of named) if (root !== undefined) votes.set(root, (votes.get(root) ?? 0) + 1)
  return [...votes].sort(([, one], [, other]) => other - one).map(([root]) => root)
}

/** The blocks of an archive at peers: fetched from whoever has them, each hashed, none believed.
 * @throws RetrievalFailed, ArchiveError, CidError */
export async function* blocksFromPeers(
  root: string,
  origins: readonly string[],
  { fetch, signal }: { fetch: GuardedFetch; signal: AbortSignal },
): AsyncGenerator<ArchivedBlock, void, undefined> {
  const retriever = createNodeRetriever({
    fetch,
    sources: () => origins.map((origin) => gatewaySource(origin)),
  })
  const block = async (cid: string) => (await retriever.retrieve(cid, { signal })).bytes
  const archive = decodeArchive(await block(root))
  yield* archivedBlocks(
    (async function* () {
      for (const { '/': cid } of partsOf(archive)) yield await block(cid)
    })(),
  )
}

async function rootAt(
  origin: string,
  epoch: number,
  { fetch, signal }: { fetch: GuardedFetch; signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const response = await fetch(`${origin}/archives?after=${epoch - 1}&limit=1`, {
      signal,
      timeoutMs: listTimeoutMs,
      maxBytes: listBytes,
    })
    if (!response.ok) return undefined
    const [entry] = checked(listSchema, await response.json()).data?.items ?? []
    return entry?.epoch === epoch ? entry.root : undefined
  } catch (error) {
    if (error instanceof FetchFailed || error instanceof SyntaxError) return undefined
    throw error
  }
}
