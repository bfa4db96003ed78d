import { RetrievalFailed, type Retriever } from '@hexachord/protocol/retrieval'
import type { BlockRoot } from '@hexachord/protocol/storage-root'
import { type IpfsNode, StorageFull } from '@hexachord/storage/ipfs'
import { getOrRetrieve, type RootHasher } from '@hexachord/storage/tracks'
import pLimit, { type LimitFunction } from 'p-limit'
import pRetry from 'p-retry'
import type { HashedBlock, ListedBlock } from '../offers/index.ts'
import { PullRefused } from './pull-refused.ts'

/** Blocks of one offer on their way at one time. */
const concurrency = 12
const firstRetryMs = 250
const longestRetryMs = 15_000

/** The blocks of one offer on their way to this node. */
export type BlockPull = {
  /** Has the block brought here; failures show in `signal` and `done`. */
  start(block: ListedBlock & { root?: BlockRoot['root']; leafCount?: number }): void
  /** Resolves when everything that was started is stored and synced. @throws what made it end */
  done(): Promise<void>
  /** Drops what is still on its way, and waits until nothing of it is left. */
  end(): Promise<void>
  /** Aborted, with the reason, as soon as one block cannot be had. */
  readonly signal: AbortSignal
}

/**
 * Brings blocks here, a few at a time, each tried until the signal ends it or it is clear that it cannot be had.
 * @param options.source id of the source that offered the blocks: what it lies about is refused for good
 * @param options.sharedLimit bounds all pulls of this node together
 * @param options.onStored called for each block once it is synced, with its place in a storage root
 */
export function pullBlocks(options: {
  ipfs: Pick<IpfsNode, 'get' | 'has' | 'putVerified'>
  retriever: Pick<Retriever, 'retrieve'>
  rootOf: RootHasher['rootOf']
  source: string
  sharedLimit: LimitFunction
  onStored: (block: HashedBlock) => void
  signal: AbortSignal
}): BlockPull {
  const { ipfs, retriever, rootOf, sharedLimit, onStored } = options
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const limit = pLimit(concurrency)
  const running: Promise<void>[] = []

  async function bring(block: ListedBlock): Promise<void> {
    const retrieved = await getOrRetrieve({ ipfs, retriever, rootOf, cid: block.cid, signal })
    const { bytes } = retrieved
    if (bytes.length !== block.byteLength) {
      throw new PullRefused(`block ${block.cid} has ${bytes.length} bytes, the list says ${block.byteLength}`)
    }
    const { root, leafCount } = retrieved.root ?? (await rootOf(bytes))
    onStored({ ...block, root, leafCount })
  }

  function bringInTheEnd(block: ListedBlock): Promise<void> {
    // A place among all pulls is held for a try, not for the pause after it: sources that are away hold up nobody else.
    return pRetry(() => sharedLimit(() => bring(block)), {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: firstRetryMs,
      maxTimeout: longestRetryMs,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => error instanceof RetrievalFailed && !isLie(error, options.source),
    })
  }

  return {
    signal,
    start({ cid, byteLength, root }) {
      const task = limit(async () => {
        signal.throwIfAborted()
        if (root !== undefined && (await ipfs.has(cid, { signal }))) return
        await bringInTheEnd({ cid, byteLength })
      })
      running.push(task.catch((error: unknown) => stop.abort(refusalOf(error, options.source))))
    },
    async done() {
      await Promise.all(running)
      signal.throwIfAborted()
    },
    async end() {
      stop.abort(new DOMException('the pull has ended', 'AbortError'))
      await Promise.all(running)
    },
  }
}

function isLie(error: RetrievalFailed, source: string): boolean {
  return error.faults.some((fault) => fault.source === source && fault.kind === 'lied')
}

function refusalOf(error: unknown, source: string): unknown {
  if (error instanceof RetrievalFailed && isLie(error, source)) {
    return new PullRefused(`${source} sends other bytes than it offers, for block ${error.cid}`, {
      cause: error,
    })
  }
  if (error instanceof StorageFull) return new PullRefused(error.message, { cause: error })
  return error
}
