import { linksOf, parseCid } from '@hexachord/protocol/cids'
import type { BlockStore } from './block-store.ts'
import { BlockNotFound, MissingBlock, type PinnedSize, type PinOptions, PinTooLarge } from './ipfs-node.ts'
import type { PinTable } from './pin-table.ts'

/** A day of segments in eight renditions is 115,200; what is above is no track but an attempt on our memory. */
const maximumBlocksPerPin = 200_000

/** Leaves looked for at one time: each look is a way to the disk or to a daemon and back. */
const looksAtOnce = 16

/**
 * Finds every block of a root here, in document order, depth first, and then pins them all at once. Until that is
 * written each block found is held, so that no collection can take it in between.
 * @throws MissingBlock, PinTooLarge, CidError
 */
export async function pinRoot(
  store: BlockStore,
  table: PinTable,
  text: string,
  options: PinOptions,
): Promise<PinnedSize> {
  const root = parseCid(text).cid
  const releases: (() => void)[] = []
  const found = new Set<string>()
  const sum = { blocks: 0, bytes: 0 }
  try {
    const ahead = [root]
    for (let next = takeNext(ahead, found); next.length > 0; next = takeNext(ahead, found)) {
      options.signal?.throwIfAborted()
      if (found.size > maximumBlocksPerPin) throw new PinTooLarge(root, maximumBlocksPerPin)
      const looks = await Promise.allSettled(
        next.map(async (cid) => {
          releases.push(await store.hold(cid))
          return readLinks(store, root, cid)
        }),
      )
      for (const look of looks) {
        if (look.status === 'rejected') throw look.reason
        sum.blocks += 1
        sum.bytes += look.value.bytes
        options.onProgress?.({ ...sum })
        ahead.push(...look.value.links.reverse())
      }
    }
    options.signal?.throwIfAborted()
    table.add(root, found, sum)
    return sum
  } finally {
    for (const release of releases) release()
  }
}

/**
 * Takes what is to be looked at next off the end of `ahead`, and notes it as found: one block that may link to others,
 * or as many leaves as follow each other.
 */
function takeNext(ahead: string[], found: Set<string>): string[] {
  const taken: string[] = []
  for (let cid = ahead.at(-1); cid !== undefined && taken.length < looksAtOnce; cid = ahead.at(-1)) {
    const isLeaf = parseCid(cid).codec === 'raw'
    if (!isLeaf && taken.length > 0) break
    ahead.pop()
    if (found.has(cid)) continue
    found.add(cid)
    taken.push(cid)
    if (!isLeaf) break
  }
  return taken
}

/** Leaves are only looked for, not read: a track's weight is in them. */
async function readLinks(
  store: BlockStore,
  root: string,
  cid: string,
): Promise<{ bytes: number; links: string[] }> {
  try {
    if (parseCid(cid).codec === 'raw') return { bytes: await store.size(cid), links: [] }
    const bytes = await store.get(cid)
    return { bytes: bytes.length, links: linksOf(cid, bytes) }
  } catch (error) {
    if (error instanceof BlockNotFound) throw new MissingBlock(root, cid, { cause: error })
    throw error
  }
}
