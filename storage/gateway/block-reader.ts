import { Problem } from '@hexachord/platform/http'
import { CidMismatch, verifyBlock } from '@hexachord/protocol/cids'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { LRUCache } from 'lru-cache'
import pLimit from 'p-limit'
import { abortable } from '../ipfs/abortable.ts'
import { BlockNotFound, BlockUnavailable, type IpfsNode } from '../ipfs/index.ts'

/** Where a gateway's blocks come from: a bounded memory of hot ones, the node, and whoever else may be asked. */
export type BlockReader = {
  /** The block's bytes, or undefined where they are not in memory. Costs nothing. */
  hot(cid: string): Uint8Array | undefined
  /**
   * The bytes, from memory or the node, or from elsewhere if `elsewhere` is set and the node has not got them.
   * @throws BlockNotFound; Problem 502, 503 or 504 when asking elsewhere fails
   */
  read(cid: string, options: ReadOptions): Promise<Uint8Array>
  /** How many bytes it has, without reading it where that can be helped. @throws as `read` */
  size(cid: string, options: ReadOptions): Promise<number>
}

export type ReadOptions = {
  readonly elsewhere: boolean
  /** Whether to keep a block of this node in memory; one from elsewhere always is. @default true */
  readonly keep?: boolean
}

export type BlockSources = {
  ipfs: Pick<IpfsNode, 'get' | 'size'>
  cacheBytes: number
  fetchMissing: ((cid: string, signal: AbortSignal) => Promise<Uint8Array>) | undefined
  fetchTimeoutMs: number
}

/** Disk reads at one time: each holds up to 1 MiB, and the thread pool does four of them anyway. */
const readConcurrency = 32
/** Further reads that may wait: a disk that cannot keep up does not catch up with more. */
const readQueueLimit = 1_024

/** Blocks asked for elsewhere at one time, and how many more may wait for their turn. */
const fetchConcurrency = 16
const fetchQueueLimit = 256

const retryAfterSeconds = '5'

/** Map entry, key and buffer object of a cached block, roughly. */
const entryOverheadBytes = 512

export function createBlockReader(sources: BlockSources): BlockReader {
  const { ipfs, fetchMissing } = sources
  const cache = new LRUCache<string, Uint8Array>({
    maxSize: Math.max(1, sources.cacheBytes),
    sizeCalculation: (bytes) => bytes.length + entryOverheadBytes,
  })
  const limitReads = pLimit(readConcurrency)
  const reads = shared((cid) => ipfs.get(cid), limitReads)
  const limitFetches = pLimit(fetchConcurrency)
  const fetches = shared(fetchVerified, limitFetches)

  async function fetchVerified(cid: string): Promise<Uint8Array> {
    if (fetchMissing === undefined) throw new BlockNotFound(cid)
    const patience = AbortSignal.timeout(sources.fetchTimeoutMs)
    try {
      const bytes = await abortable(fetchMissing(cid, patience), patience)
      await verifyBlock(cid, bytes)
      cache.set(cid, bytes)
      return bytes
    } catch (error) {
      throw patience.aborted ? late(cid, error) : explain(cid, error)
    }
  }

  async function read(cid: string, options: ReadOptions): Promise<Uint8Array> {
    const known = cache.get(cid)
    if (known !== undefined) return known
    if (limitReads.pendingCount >= readQueueLimit) throw busy('too many blocks are being read already')
    try {
      // `IpfsNode.get` hashes what it reads, so that nothing unchecked is kept.
      const bytes = await reads(cid)
      if (options.keep !== false) cache.set(cid, bytes)
      return bytes
    } catch (error) {
      const isElsewhere = options.elsewhere && fetchMissing !== undefined
      if (!isElsewhere || !(error instanceof BlockNotFound)) throw error
    }
    // Somebody else may have got it while the disk was looked at.
    const meanwhile = cache.get(cid)
    if (meanwhile !== undefined) return meanwhile
    if (limitFetches.pendingCount >= fetchQueueLimit)
      throw busy(`block ${cid} is not here, and too many others are being fetched already`)
    return fetches(cid)
  }

  return {
    hot: (cid) => cache.get(cid),
    read,
    async size(cid, options) {
      const known = cache.peek(cid)
      if (known !== undefined) return known.length
      try {
        return await ipfs.size(cid)
      } catch (error) {
        if (!(error instanceof BlockNotFound)) throw error
        return (await read(cid, options)).length
      }
    },
  }
}

/** Several calls for one key that is under way become one. */
function shared<Result>(
  work: (key: string) => Promise<Result>,
  limit: (run: () => Promise<Result>) => Promise<Result>,
): (key: string) => Promise<Result> {
  const running = new Map<string, Promise<Result>>()
  return (key) => {
    let result = running.get(key)
    if (result === undefined) {
      result = limit(() => work(key)).finally(() => running.delete(key))
      running.set(key, result)
    }
    return result
  }
}

/** What it means for the caller that a block could not be had from elsewhere. */
function explain(cid: string, error: unknown): Error {
  if (error instanceof BlockNotFound || error instanceof BlockUnavailable) {
    return new BlockNotFound(cid, { cause: error })
  }
  if (!(error instanceof RetrievalFailed)) return failed(cid, error)
  const kinds = new Set(error.faults.map(({ kind }) => kind))
  kinds.delete('missing')
  if (kinds.size === 0) return new BlockNotFound(cid, { cause: error })
  return kinds.has('timed-out') ? late(cid, error) : failed(cid, error)
}

function late(cid: string, cause: unknown): Problem {
  const detail = `block ${cid} is not here, and nobody else has given it in time`
  return new Problem({ status: 504, detail, headers: { 'Retry-After': retryAfterSeconds }, cause })
}

function failed(cid: string, cause: unknown): Problem {
  const lie = cause instanceof CidMismatch ? ': wrong bytes were given for it' : ''
  const detail = `block ${cid} is not here, and could not be had from elsewhere${lie}`
  return new Problem({ status: 502, detail, headers: { 'Retry-After': retryAfterSeconds }, cause })
}

function busy(detail: string): Problem {
  return new Problem({ status: 503, detail, headers: { 'Retry-After': retryAfterSeconds } })
}
