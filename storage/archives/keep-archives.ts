import { setTimeout as delay } from 'node:timers/promises'
import {
  type ChainReader,
  eachHeader,
  type Header,
  MalformedAnswer,
  RpcError,
  RpcUnavailable,
} from '@hexachord/platform/chain'
import type { GuardedFetch } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull, type Sqlite } from '@hexachord/platform/sqlite'
import { rulesVersion } from '@hexachord/protocol/actions'
import {
  type ArchiveEntry,
  ArchiveError,
  archivedNetwork,
  epochOfBlock,
  lastBlockOf,
  mayHoldLogs,
} from '@hexachord/protocol/archives'
import { CidError } from '@hexachord/protocol/cids'
import type { Address } from '@hexachord/protocol/names'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import type { Catalogue } from '../catalogue/index.ts'
import { type IpfsNode, StorageFull } from '../ipfs/index.ts'
import { createArchiveStore } from './archive-store.ts'
import { type ArchiveFrame, blocksFromChain, makeArchive } from './make-archive.ts'
import { blocksFromPeers, rootsAtPeers } from './peer-archives.ts'

export type KeepArchivesOptions = {
  /** Opened with `archiveMigrations`. */
  readonly database: Sqlite
  readonly reader: Pick<ChainReader, 'rpc'>
  readonly catalogue: Pick<Catalogue, 'rules' | 'indexed' | 'finalized' | 'operators' | 'stateHashAt'>
  readonly network: { readonly chainId: number; readonly firstBlock: number }
  readonly ipfs: Pick<IpfsNode, 'put' | 'pin'>
  /** For archives of peers. */
  readonly fetch: GuardedFetch
  /** This node's operator. */
  readonly self: Address
  readonly logger: Logger
  readonly signal: AbortSignal
  /** Between looks at whether an epoch has become final, and after a failure, in ms. @default 5 s */
  readonly pollMs?: number | undefined
}

export type ArchiveKeeper = {
  /** Oldest first, behind an epoch. */
  page(after: number, limit: number): ArchiveEntry[]
  /** Whether a pinned root is that of an archive, also of one that is being made. */
  holds(root: string): boolean
  close(): Promise<void>
}

const defaultPollMs = 5_000

/**
 * Makes the archive of each epoch once it is final and this node has indexed it, in the background, one at a time and
 * in order; after a time away it makes those that it missed. Where the chain's node has dropped receipts, the archive
 * is taken from peers, if headers and this node's own state hash bear it out: what is stored is made here, again, from
 * proven blocks, and so is the same on every node.
 */
export function keepArchives(options: KeepArchivesOptions): ArchiveKeeper {
  const { catalogue, reader, logger } = options
  const pollMs = options.pollMs ?? defaultPollMs
  const store = createArchiveStore(options.database)
  const network = archivedNetwork(catalogue.rules, options.network)
  const { contracts, epochBlocks, firstBlock } = network
  const closing = new AbortController()
  const signal = AbortSignal.any([options.signal, closing.signal])
  /** Pinned, perhaps, and not yet written down. */
  let making: string | undefined
  const onRoot = (root: string) => {
    making = root
  }
  const work = { ...options, signal, onRoot }

  /** @returns whether there was one to do */
  async function nextEpoch(): Promise<boolean> {
    const fromBlock = Math.max(firstBlock, (store.progress() ?? -1) + 1)
    const epoch = epochOfBlock(fromBlock, epochBlocks)
    const toBlock = lastBlockOf(epoch, epochBlocks)
    if (toBlock > Math.min(catalogue.finalized(), catalogue.indexed())) return false
    const headers = await headersThatMayMatter(fromBlock, toBlock)
    if (headers.length === 0) {
      store.advance(toBlock)
      return true
    }
    const last = store.last()
    const frame: ArchiveFrame = {
      ...network,
      epoch,
      fromBlock: last === undefined ? firstBlock : last.toBlock + 1,
      toBlock,
      previous: last?.root ?? null,
      rulesVersion,
      stateHash: catalogue.stateHashAt(toBlock),
    }
    const archive = await archiveOf(frame, headers)
    store.advance(toBlock, archive)
    logger.info({ epoch, root: archive.root, logs: archive.logs }, 'an epoch was archived')
    return true
  }

  async function headersThatMayMatter(fromBlock: number, toBlock: number): Promise<Header[]> {
    const found: Header[] = []
    let parent: Header | undefined
    for await (const header of eachHeader(reader.rpc, { fromBlock, toBlock })) {
      signal.throwIfAborted()
      if (parent !== undefined && header.parentHash !== parent.hash) {
        throw new MalformedAnswer(`block ${header.number} does not follow the one before`)
      }
      parent = header
      if (mayHoldLogs(header.logsBloom, contracts)) found.push(header)
    }
    return found
  }

  async function archiveOf(frame: ArchiveFrame, headers: readonly Header[]): Promise<ArchiveEntry> {
    try {
      return await makeArchive(frame, headers, blocksFromChain(reader.rpc, headers), work)
    } catch (error) {
      const isGone = error instanceof RpcError || error instanceof MalformedAnswer
      if (!isGone && !(error instanceof ArchiveError)) throw error
      logger.debug({ err: error, epoch: frame.epoch }, 'no receipts from the chain, asking peers')
      const archive = await archiveFromPeers(frame, headers)
      if (archive === undefined) throw error
      return archive
    }
  }

  async function archiveFromPeers(
    frame: ArchiveFrame,
    headers: readonly Header[],
  ): Promise<ArchiveEntry | undefined> {
    const origins = [...catalogue.operators().values()]
      .filter(({ operator, active }) => active && operator !== options.self)
      .map(({ endpoint }) => endpoint)
    for (const root of await rootsAtPeers(frame.epoch, origins, work)) {
      try {
        const archive = await makeArchive(frame, headers, blocksFromPeers(root, origins, work), work)
        if (archive.root !== root)
          logger.warn({ root, ours: archive.root }, 'peers hold another archive than ours')
        return archive
      } catch (error) {
        if (!isTheirs(error)) throw error
        logger.warn({ err: error, root }, 'an archive of peers cannot be used')
      }
    }
    return undefined
  }

  async function run(): Promise<void> {
    let failed = false
    while (!signal.aborted) {
      try {
        if (await nextEpoch()) {
          failed = false
          continue
        }
      } catch (error) {
        if (signal.aborted) return
        if (!isPassing(error)) throw error
        // A chain whose node never gives receipts would say so for ever.
        if (!failed) logger.warn({ err: error }, 'no archive could be made; trying again')
        failed = true
      }
      await pause(pollMs, signal)
    }
  }

  const running = run().catch((err: unknown) => {
    // Archives are a help to others: without them this node still does its duty.
    if (!signal.aborted) logger.error({ err }, 'no more archives are made until the next start')
  })

  return {
    page: store.page,
    holds: (root) => root === making || store.holds(root),
    async close() {
      closing.abort(new DOMException('archives are no longer kept', 'AbortError'))
      await running
    },
  }
}

function isTheirs(error: unknown): boolean {
  return error instanceof ArchiveError || error instanceof CidError || error instanceof RetrievalFailed
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof RpcError ||
    error instanceof RpcUnavailable ||
    error instanceof MalformedAnswer ||
    error instanceof ArchiveError ||
    error instanceof StorageFull ||
    isDatabaseFull(error)
  )
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
