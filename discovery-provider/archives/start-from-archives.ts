import { type ChainReader, eachHeader, RpcError } from '@hexachord/platform/chain'
import type { GuardedFetch } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { rulesVersion } from '@hexachord/protocol/actions'
import {
  type ArchivedBlock,
  type ArchivedNetwork,
  ArchiveError,
  archivedNetwork,
  checkPlace,
  mayHoldLogs,
  proveBlocks,
} from '@hexachord/protocol/archives'
import type { CatalogueRules } from '@hexachord/protocol/catalogue'
import { CidError } from '@hexachord/protocol/cids'
import { RetrievalFailed, type Retriever } from '@hexachord/protocol/retrieval'
import type { CatalogueIndex } from '../indexing/catalogue-index.ts'
import { createProvenRanges } from './append-proven.ts'
import { type FetchedArchive, fetchArchive, gatewayRetriever } from './fetch-archive.ts'
import { gatewaysOfOperators } from './gateways.ts'
import { type Candidate, offeredArchives } from './offered-archives.ts'

/** Where archives come from: nowhere; operators, if the chain's node has dropped the logs that are needed; or these
 * gateways, whenever there is no index yet, and if logs are missing. */
export type ArchivePolicy = 'off' | 'auto' | readonly string[]

/** The chain's node has dropped logs that are needed, and nobody gave archives of them that are true. */
export class ArchivesNeeded extends Error {
  override readonly name = 'ArchivesNeeded'
}

export type StartFromArchivesOptions = {
  readonly policy: ArchivePolicy
  readonly index: CatalogueIndex
  readonly reader: ChainReader
  readonly rules: CatalogueRules
  readonly network: { readonly chainId: number; readonly firstBlock: number }
  readonly fetch: GuardedFetch
  readonly logger: Logger
  readonly signal: AbortSignal
}

/**
 * Brings an index as far as archives of the network's nodes reach, before the chain is followed as usual. Nothing in
 * them is believed. Each block is hashed; receipts must hash to the receipts root of the block's header on the chain,
 * and every block left out must be one in which, by its header, there cannot be a log of the network: so the logs are
 * exactly the chain's, whoever made the archive. The rules are applied here, and the state hash that comes out is held
 * against the archive's. An archive that fails is said to be false, and another one of that epoch is tried; when there
 * is none, the rest comes from the chain. What was indexed before that stays, since it is proven.
 * @throws ArchivesNeeded when the chain does not give the rest either; RpcUnavailable, MalformedAnswer, RpcError for headers, what the database throws, and the signal's reason
 */
export async function startFromArchives(options: StartFromArchivesOptions): Promise<void> {
  const { policy, index, rules, logger } = options
  const network = archivedNetwork(rules, options.network)
  if (policy === 'off' || !(await areWanted(options))) return
  const finalized = await finalizedBlock(options)
  const origins = typeof policy === 'string' ? await operatorsOf(options) : policy
  logger.info({ gateways: origins, from: index.checkpoint.indexed + 1 }, 'starting from archives')
  const offered = await offeredArchives(origins, index.checkpoint.indexed, {
    ...options,
    onFault: (gateway, err) => logger.warn({ err, gateway }, 'a gateway gives no list of archives'),
  })
  const retriever = gatewayRetriever(origins, options.fetch)
  let previous: Previous
  for (const { epoch, candidates } of offered) {
    const taken = await takeFirstTrue(candidates, { ...options, network, finalized, retriever, previous })
    if (taken === undefined) {
      logger.error({ epoch }, 'no archive of an epoch can be used: going on from the chain')
      break
    }
    previous = taken
  }
  await indexSilence({ ...options, network, finalized })
  const { indexed, stateHash } = index.checkpoint
  logger.info({ indexed, stateHash, finalized }, 'archives have been indexed')
  if (await areMissing(options)) {
    throw new ArchivesNeeded(
      `the chain's node has dropped the logs of block ${indexed + 1}, and no archive of them can be had: name gateways in ARCHIVES, or a node that keeps logs in RPC_URL`,
    )
  }
}

/** The archive that was taken last; unknown before the first, if the index was not empty. */
type Previous = { readonly root: string; readonly toBlock: number } | undefined

type Taking = StartFromArchivesOptions & {
  readonly network: ArchivedNetwork
  readonly finalized: number
  readonly retriever: Retriever
  readonly previous: Previous
}

async function areWanted(options: StartFromArchivesOptions): Promise<boolean> {
  const { policy, index, network } = options
  const isEmpty = index.checkpoint.indexed < network.firstBlock
  return (typeof policy !== 'string' && isEmpty) || areMissing(options)
}

/** Whether the chain's node refuses the logs with which following would go on. */
async function areMissing({ index, reader, rules }: StartFromArchivesOptions): Promise<boolean> {
  const next = index.checkpoint.indexed + 1
  if (next > (await finalizedBlock({ reader, rules }))) return false
  try {
    await reader.logs({ addresses: [rules.catalog], fromBlock: next, toBlock: next })
    return false
  } catch (error) {
    // No node finds one block too much: it does not have its logs, or it wants to be asked more slowly.
    if (error instanceof RpcError && !/rate|too many requests|per second|daily/i.test(error.message))
      return true
    throw error
  }
}

async function finalizedBlock({
  reader,
  rules,
}: Pick<StartFromArchivesOptions, 'reader' | 'rules'>): Promise<number> {
  return (await reader.head()).number - rules.placement.finalityBlocks
}

async function operatorsOf({ reader, rules }: StartFromArchivesOptions): Promise<string[]> {
  const [registry = ''] = rules.operatorContracts
  return gatewaysOfOperators(reader, registry)
}

/** @returns the one that was indexed; undefined when none is true */
async function takeFirstTrue(candidates: readonly Candidate[], taking: Taking): Promise<Previous> {
  const { logger, signal, retriever } = taking
  for (const { epoch, root, origins } of candidates) {
    try {
      const fetched = await fetchArchive(root, retriever, signal)
      if (fetched.archive.epoch !== epoch)
        throw new ArchiveError(`it is that of epoch ${fetched.archive.epoch}`)
      await take(root, fetched, taking)
      logger.info({ epoch, root, logs: fetched.archive.logs }, 'indexed the archive of an epoch')
      return { root, toBlock: fetched.archive.toBlock }
    } catch (error) {
      signal.throwIfAborted()
      const isTheirs =
        error instanceof ArchiveError || error instanceof CidError || error instanceof RetrievalFailed
      if (!isTheirs) throw error
      logger.error({ err: error, epoch, root, gateways: origins }, 'an archive is false or cannot be had')
    }
  }
  return undefined
}

async function take(root: string, { archive, blocks }: FetchedArchive, taking: Taking): Promise<void> {
  const { index, reader, network, finalized, previous } = taking
  const isFirst = previous === undefined && archive.fromBlock === network.firstBlock
  // An index that was not empty has no archive behind it; then only what the archive adds is looked at.
  if (previous !== undefined || isFirst) checkPlace(archive, network, previous)
  const { toBlock } = archive
  const fromBlock = index.checkpoint.indexed + 1
  if (archive.fromBlock > fromBlock)
    throw new ArchiveError(`it begins at block ${archive.fromBlock}, behind ${fromBlock}`)
  if (toBlock > finalized) throw new ArchiveError(`it ends at block ${toBlock}, which is not final`)
  // A part of it may have been indexed already, by an earlier candidate or before the last stop.
  if (toBlock >= fromBlock) {
    const [known] = await index.knownBlocks()
    const proven = proveBlocks(eachHeader(reader.rpc, { fromBlock, toBlock }), from(fromBlock, blocks()), {
      contracts: network.contracts,
      parentHash: known?.hash,
    })
    const ranges = createProvenRanges(taking)
    let logCount = 0
    for await (const { header, logs } of proven) {
      logCount += logs.length
      await ranges.add(header, logs)
    }
    await ranges.flush()
    if (fromBlock === archive.fromBlock && logCount !== archive.logs) {
      throw new ArchiveError(
        `it says that it holds ${archive.logs} logs of the network; there are ${logCount}`,
      )
    }
  }
  const { stateHash } = index.checkpoint
  if (archive.rulesVersion === rulesVersion && archive.stateHash !== stateHash) {
    throw new ArchiveError(
      `archive ${root} says that the state hash is ${archive.stateHash}; by the rules it is ${stateHash}`,
    )
  }
}

async function* from(block: number, blocks: AsyncIterable<ArchivedBlock>): AsyncGenerator<ArchivedBlock> {
  for await (const archived of blocks) if (archived.number >= block) yield archived
}

/** Silence needs no archive: headers alone prove it. */
async function indexSilence(options: Omit<Taking, 'retriever' | 'previous'>): Promise<void> {
  const { index, reader, network, finalized } = options
  const fromBlock = index.checkpoint.indexed + 1
  const ranges = createProvenRanges(options)
  const [known] = await index.knownBlocks()
  let parentHash = known?.hash
  for await (const header of eachHeader(reader.rpc, { fromBlock, toBlock: finalized })) {
    if (mayHoldLogs(header.logsBloom, network.contracts)) break
    if (parentHash !== undefined && header.parentHash !== parentHash) break
    parentHash = header.hash
    await ranges.add(header, [])
  }
  await ranges.flush()
}
