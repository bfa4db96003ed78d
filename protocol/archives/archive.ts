import * as z from 'zod'
import type { CatalogueRules } from '../catalogue/index.ts'
import { checked } from '../checked/index.ts'
import {
  cidSchema,
  decodeDagJson,
  encodeDagJson,
  type Link,
  maximumBlockBytes,
  rawLinkSchema,
} from '../cids/index.ts'
import { hashSchema } from '../names/index.ts'
import { ArchiveError } from './archive-error.ts'

const natural = z.int().nonnegative()
const address = z.string().regex(/^0x[0-9a-f]{40}$/)

/** 8 GiB: an epoch of a busy chain, whose other receipts come along. */
const maximumParts = 8192

const archiveSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('archive'),
  chainId: z.int().positive(),
  /** Whose logs it is about: Catalog, OperatorRegistry, StakeVault. */
  contracts: z.array(address).min(1).max(16),
  firstBlock: natural,
  epochBlocks: z.int().positive(),
  epoch: natural,
  /** The block after the end of the archive before, or the network's first. */
  fromBlock: natural,
  /** The last block of the epoch. */
  toBlock: natural,
  /** Root of the archive before. Text and no link: whoever pins or fetches one archive takes one, not all. */
  previous: cidSchema.nullable(),
  rulesVersion: natural,
  /** Of the network's state after `toBlock`, by these rules. */
  stateHash: hashSchema,
  /** Blocks held, and logs of the network in them. */
  blocks: natural,
  logs: natural,
  parts: z.array(z.tuple([z.int().positive().max(maximumBlockBytes), rawLinkSchema])).max(maximumParts),
})

/**
 * Root block of the archive of an epoch: what the network's contracts logged, so that a provider can start when the
 * chain's nodes have dropped old logs. Equal bytes on every node, since all of it follows from the chain.
 *
 * There is one for each final epoch with a block in which, by its bloom filter, there may be logs of the network. It
 * covers all blocks since the archive before, so that silent epochs cost nothing. Its parts hold those blocks with
 * all their receipts (`archiveParts`), which `provenLogs` holds against headers of the chain.
 */
export type Archive = Omit<z.infer<typeof archiveSchema>, 'v' | 'kind'>

/** @throws ArchiveError */
export function encodeArchive(archive: Archive): Uint8Array {
  const value = parseArchive({ v: 1, kind: 'archive', ...archive })
  const bytes = encodeDagJson({ v: 1, kind: 'archive', ...value })
  if (bytes.length > maximumBlockBytes) throw new ArchiveError('the archive has too many parts')
  return bytes
}

/** @throws ArchiveError, CidError */
export function decodeArchive(bytes: Uint8Array): Archive {
  return parseArchive(decodeDagJson(bytes))
}

function parseArchive(value: unknown): Archive {
  const result = checked(archiveSchema, value)
  if (!result.success) {
    const issue = result.error.issues[0]
    throw new ArchiveError(`not an archive: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim())
  }
  const { v: _, kind: __, ...archive } = result.data
  const { epoch, epochBlocks, fromBlock, toBlock } = archive
  if (toBlock !== lastBlockOf(epoch, epochBlocks) || fromBlock > toBlock) {
    throw new ArchiveError(`not an archive: epoch ${epoch} does not end at block ${toBlock}`)
  }
  if (archive.parts.slice(0, -1).some(([byteLength]) => byteLength !== maximumBlockBytes)) {
    throw new ArchiveError('not an archive: parts but the last are not of 1 MiB')
  }
  return archive
}

/** Links of the parts, in order. */
export function partsOf({ parts }: Archive): Link[] {
  return parts.map(([, link]) => link)
}

/** The epoch that a block belongs to. */
export function epochOfBlock(block: number, epochBlocks: number): number {
  return Math.floor(block / epochBlocks)
}

export function lastBlockOf(epoch: number, epochBlocks: number): number {
  return (epoch + 1) * epochBlocks - 1
}

/** The fields of an archive that are the same in all of a network. */
export type ArchivedNetwork = Pick<Archive, 'chainId' | 'contracts' | 'firstBlock' | 'epochBlocks'>

export function archivedNetwork(
  rules: CatalogueRules,
  { chainId, firstBlock }: { chainId: number; firstBlock: number },
): ArchivedNetwork {
  return {
    chainId,
    firstBlock,
    contracts: [rules.catalog, ...rules.operatorContracts],
    epochBlocks: rules.placement.epochBlocks,
  }
}

/**
 * Whether an archive can stand behind another one in this network's chain of archives.
 * @param previous undefined for the first
 * @throws ArchiveError that says why not
 */
export function checkPlace(
  archive: Archive,
  network: ArchivedNetwork,
  previous: { readonly root: string; readonly toBlock: number } | undefined,
): void {
  const { chainId, contracts, firstBlock, epochBlocks } = archive
  const same =
    chainId === network.chainId &&
    firstBlock === network.firstBlock &&
    epochBlocks === network.epochBlocks &&
    contracts.join() === network.contracts.join()
  if (!same) throw new ArchiveError('the archive is of another network')
  const fromBlock = previous === undefined ? firstBlock : previous.toBlock + 1
  if (archive.previous !== (previous?.root ?? null) || archive.fromBlock !== fromBlock) {
    throw new ArchiveError(`the archive of epoch ${archive.epoch} does not follow the one before`)
  }
}
