import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createGuardedFetch } from '@hexachord/platform/http'
import { createLogger } from '@hexachord/platform/process'
import { openSqlite } from '@hexachord/platform/sqlite'
import { parseAddress, subjectOf } from '@hexachord/protocol/names'
import { receiptSigner } from '@hexachord/protocol/receipts'
import { domainOf } from '@hexachord/protocol/signing'
import { createEmbeddedIpfs, ipfsMigrations } from '@hexachord/storage/ipfs'
import {
  createNodeRetriever,
  createRootHasher,
  gatewaySource,
  inspectTrack,
  pullTrack,
} from '@hexachord/storage/tracks'
import { Wallet } from 'ethers'
import {
  createIssueReceipt,
  createReceiptStore,
  receiptMigrations,
} from '../../../content-service/receipts/index.ts'
import { network } from '../gateway/content-service.ts'

const leaseMs = 3_600_000

/** For whom receipts are signed and checked here. */
const domain = domainOf(network)

/** A node's disk that tracks are brought to, as a content service brings them. */
export type VerifiedStore = {
  /**
   * Every block verified, synced and hashed for the storage root; the manifest pinned; the receipt signed, kept, and
   * checked by whoever counts it.
   */
  bring(manifest: string, byteLength: number): Promise<void>
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
  const database = openSqlite(join(folder, 'node.sqlite'), {
    migrations: [...ipfsMigrations, ...receiptMigrations],
  })
  const ipfs = await createEmbeddedIpfs({ directory: folder, database, bitswap: false, logger })
  const fetch = createGuardedFetch({ allowPrivateAddresses: true })
  const sources = origins.map((origin) => gatewaySource(origin))
  const roots = createRootHasher()
  await roots.rootOf(new Uint8Array(1))
  const receipts = createReceiptStore(database)
  const hotKey = new Wallet(Wallet.createRandom().privateKey)
  const operator = parseAddress(hotKey.address)
  const issueReceipt = createIssueReceipt({ hotKey, domain, operator, head: () => 0, now: Date.now })
  const retriever = createNodeRetriever({ fetch, sources: () => sources })
  return {
    async bring(manifest, byteLimit) {
      const pulled = await pullTrack({
        ...{ ipfs, retriever, rootOf: roots.rootOf, manifest, byteLimit, leaseMs, now: Date.now, signal },
      })
      const held = await inspectTrack(ipfs, manifest, { signal, knownRoot: (cid) => pulled.roots.get(cid) })
      await ipfs.pin(manifest, { signal })
      const receipt = await issueReceipt(subjectOf(operator, 1n), held)
      receipts.put(receipt)
      if (receiptSigner(receipt, domain) !== operator) throw new Error('the receipt is not signed by its key')
    },
    async close() {
      await roots.close()
      await fetch.close()
      await ipfs.close()
      database.close()
    },
  }
}
