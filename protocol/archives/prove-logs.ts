import type { ChainLog } from '../operators/index.ts'
import { ArchiveError } from './archive-error.ts'
import type { ArchivedBlock } from './archived-block.ts'
import { mayHoldLogs } from './bloom.ts'
import { orderedTrieRoot } from './ordered-trie.ts'
import { logsOfReceipt } from './receipts.ts'

/** What a header says that logs can be proven by; a node that has dropped old logs and receipts still serves it. */
export type ProvableHeader = {
  readonly number: number
  readonly hash: string
  readonly parentHash: string
  /** Unix time in whole seconds. */
  readonly timestamp: number
  readonly receiptsRoot: string
  readonly logsBloom: string
  /** Hashes of the block's transactions, in order. */
  readonly transactions: readonly string[]
}

export type ProvenLog = ChainLog & {
  readonly blockTimestamp: number
  readonly transactionHash: string
  readonly transactionIndex: number
}

/**
 * The logs of some contracts in a block: exactly those, proven by the block's header alone. Its bloom filter rules
 * out any, or the receipts in the archive hash to the header's receipts root and hold them; so nothing can be
 * invented, altered or left out by whoever made the archive.
 * @param archived what the archive holds of this block
 * @throws ArchiveError when the archive says something else than the header
 */
export function provenLogs(
  header: ProvableHeader,
  archived: ArchivedBlock | undefined,
  contracts: readonly string[],
): ProvenLog[] {
  const { number } = header
  if (!mayHoldLogs(header.logsBloom, contracts)) {
    if (archived === undefined) return []
    throw new ArchiveError(
      `the archive holds block ${number}, in which there cannot be any log of the network`,
    )
  }
  if (archived === undefined) {
    throw new ArchiveError(
      `the archive leaves out block ${number}, in which there may be logs of the network`,
    )
  }
  if (
    archived.number !== number ||
    archived.hash !== header.hash ||
    archived.timestamp !== header.timestamp
  ) {
    throw new ArchiveError(`block ${number} of the archive is another than on the chain`)
  }
  if (orderedTrieRoot(archived.receipts) !== header.receiptsRoot) {
    throw new ArchiveError(`the receipts of block ${number} in the archive are others than on the chain`)
  }
  return logsOf(header, archived, contracts)
}

/** Logs count from the first of the block, those of other contracts too. */
function logsOf(header: ProvableHeader, archived: ArchivedBlock, contracts: readonly string[]): ProvenLog[] {
  let logIndex = 0
  return archived.receipts.flatMap((receipt, transactionIndex) =>
    logsOfReceipt(receipt).flatMap((log) => {
      const place = {
        blockNumber: header.number,
        blockHash: header.hash,
        blockTimestamp: header.timestamp,
        transactionHash: header.transactions[transactionIndex] ?? '',
        transactionIndex,
        logIndex: logIndex++,
      }
      return contracts.includes(log.address) ? [{ ...log, ...place }] : []
    }),
  )
}

/**
 * Proves a stretch of the chain: headers one after the other, each linked to the one before, with the archived blocks
 * that belong to them. Yields each header with its logs.
 * @param parentHash of the first header's parent, when it is known
 * @throws ArchiveError; what the two sequences throw
 */
export async function* proveBlocks(
  headers: AsyncIterable<ProvableHeader>,
  archived: AsyncIterable<ArchivedBlock>,
  { contracts, parentHash }: { contracts: readonly string[]; parentHash: string | undefined },
): AsyncGenerator<{ header: ProvableHeader; logs: ProvenLog[] }, void, undefined> {
  const blocks = archived[Symbol.asyncIterator]()
  let next = await blocks.next()
  let before = parentHash
  for await (const header of headers) {
    if (before !== undefined && header.parentHash !== before) {
      throw new ArchiveError(`block ${header.number} of the chain does not follow the one before`)
    }
    before = header.hash
    const matches = next.done !== true && next.value.number === header.number
    const logs = provenLogs(header, matches ? next.value : undefined, contracts)
    if (matches) next = await blocks.next()
    yield { header, logs }
  }
  if (next.done !== true)
    throw new ArchiveError(`the archive holds block ${next.value.number} out of its place`)
}
