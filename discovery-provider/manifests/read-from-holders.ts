import type { GuardedFetch } from '@hexachord/platform/http'
import { CidError } from '@hexachord/protocol/cids'
import { ManifestError } from '@hexachord/protocol/manifests'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { gatewayRetriever } from '../archives/fetch-archive.ts'
import { gatewayOf } from '../reading/live-holders.ts'

const readTimeoutMs = 10_000

/** Reads something of a track from the nodes that hold it, for 10 s at most.
 * @param gateways as operators have registered them
 * @param read is given a way to get blocks by their CIDs
 * @returns undefined where there is no manifest under the name, `away` while nobody gives it */
export async function readFromHolders<Value>(
  gateways: readonly string[],
  { fetch, signal: outer }: { fetch: GuardedFetch; signal: AbortSignal },
  read: (get: (cid: string) => Promise<Uint8Array>) => Promise<Value>,
): Promise<Value | undefined | 'away'> {
  const retriever = gatewayRetriever(gateways.map(gatewayOf), fetch)
  const timeout = AbortSignal.timeout(readTimeoutMs)
  const signal = AbortSignal.any([outer, timeout])
  try {
    return await read(async (cid) => (await retriever.retrieve(cid, { signal })).bytes)
  } catch (error) {
    if (error instanceof ManifestError || error instanceof CidError) return undefined
    if (error instanceof RetrievalFailed || (timeout.aborted && !outer.aborted)) return 'away'
    throw error
  }
}
