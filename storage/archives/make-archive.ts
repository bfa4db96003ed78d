import { type Header, type Rpc, readReceipts } from '@hexachord/platform/chain'
import {
  type Archive,
  type ArchivedBlock,
  type ArchiveEntry,
  ArchiveError,
  archiveParts,
  encodeArchive,
  encodeReceipt,
  provenLogs,
} from '@hexachord/protocol/archives'
import { linkTo } from '@hexachord/protocol/cids'
import type { IpfsNode } from '../ipfs/index.ts'

/** What the chain and this node's own index say of an archive before its blocks are there. */
export type ArchiveFrame = Omit<Archive, 'blocks' | 'logs' | 'parts'>

/**
 * Makes an archive, stores its blocks and pins them. Memory: the receipts of one block of the chain and one part.
 * @param archived its blocks, each proven against its header here
 * @param headers of those blocks, in order
 * @param options.onRoot hears of the root before it is pinned
 * @throws ArchiveError when blocks and headers disagree; StorageFull; what `archived` throws
 */
export async function makeArchive(
  frame: ArchiveFrame,
  headers: readonly Header[],
  archived: AsyncIterable<ArchivedBlock>,
  {
    ipfs,
    signal,
    onRoot,
  }: { ipfs: Pick<IpfsNode, 'put' | 'pin'>; signal: AbortSignal; onRoot: (root: string) => void },
): Promise<ArchiveEntry> {
  let blocks = 0
  let logs = 0
  async function* proven(): AsyncGenerator<ArchivedBlock> {
    for await (const block of archived) {
      const header = headers[blocks]
      if (header === undefined)
        throw new ArchiveError(`the archive holds block ${block.number} out of its place`)
      logs += provenLogs(header, block, frame.contracts).length
      blocks += 1
      yield block
    }
    const [left] = headers.slice(blocks)
    if (left !== undefined) throw new ArchiveError(`the archive leaves out block ${left.number}`)
  }
  const parts: Archive['parts'] = []
  let byteLength = 0
  for await (const part of archiveParts(proven())) {
    parts.push([part.length, linkTo(await ipfs.put(part, 'raw', { signal }))])
    byteLength += part.length
  }
  const bytes = encodeArchive({ ...frame, blocks, logs, parts })
  const root = await ipfs.put(bytes, 'dag-json', { signal })
  onRoot(root)
  await ipfs.pin(root, { signal })
  const { epoch, fromBlock, toBlock, stateHash } = frame
  return { epoch, fromBlock, toBlock, root, stateHash, logs, byteLength: byteLength + bytes.length }
}

/** Blocks of the chain as an archive holds them, with receipts from the chain's node.
 * @throws RpcError and MalformedAnswer where the node has dropped them; RpcUnavailable; ArchiveError */
export async function* blocksFromChain(
  rpc: Rpc,
  headers: readonly Header[],
): AsyncGenerator<ArchivedBlock, void, undefined> {
  for (const { number, hash, timestamp } of headers) {
    const [receipts = []] = await readReceipts(rpc, [hash])
    yield { number, hash, timestamp, receipts: receipts.map(encodeReceipt) }
  }
}
