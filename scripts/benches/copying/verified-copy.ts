import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createGuardedFetch } from '@hexachord/platform/http'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { createEmbeddedIpfs, ipfsMigrations } from '@hexachord/storage/ipfs'
import {
  createNodeRetriever,
  createRootHasher,
  gatewaySource,
  inspectTrack,
  pullTrack,
} from '@hexachord/storage/tracks'

const leaseMs = 3_600_000

/** A node's disk that tracks are brought to, as a content service brings them. */
export type VerifiedStore = {
  /** Every block verified, synced and hashed for the storage root; the manifest pinned. @returns the storage root */
  bring(manifest: string, byteLength: number): Promise<string>
  close(): Promise<void>
}

/** @param origins gateways of those who hold the tracks */
export async function openVerifiedStore(
  folder: string,
  origins: readonly string[],
  signal: AbortSignal,
): Promise<VerifiedStore> {
  await mkdir(folder, { recursive: true })
  const logger = createLogger({ service: 'bench', level: 'silent' })
  const database = openSqlite(join(folder, 'node.sqlite'), { migrations: ipfsMigrations })
  const ipfs = await createEmbeddedIpfs({ directory: folder, database, bitswap: false, logger })
  const fetch = createGuardedFetch({ allowPrivateAddresses: true })
  const sources = origins.map((origin) => gatewaySource(origin))
  const roots = createRootHasher()
  await roots.rootOf(new Uint8Array(1))
  const retriever = createNodeRetriever({ fetch, sources: () => sources })
  return {
    async bring(manifest, byteLimit) {
      const pulled = await pullTrack({
        ...{ ipfs, retriever, rootOf: roots.rootOf, manifest, byteLimit, leaseMs, now: Date.now, signal },
      })
      const held = await inspectTrack(ipfs, manifest, { signal, knownRoot: (cid) => pulled.roots.get(cid) })
      await ipfs.pin(manifest, { signal })
      return held.storageRoot
    },
    async close() {
      await roots.close()
      await fetch.close()
      await ipfs.close()
      database.close()
    },
  }
}
