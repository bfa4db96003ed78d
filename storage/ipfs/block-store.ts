import { CidMismatch, type Codec, isCid, maximumBlockBytes, parseCid } from '@hexachord/protocol/cids'
import pLimit from 'p-limit'
import type { BlockFiles } from './block-files.ts'
import {
  BlockNotFound,
  BlockTooLarge,
  type PutOptions,
  type StoredBlock,
  type Usage,
  type Verdict,
} from './ipfs-node.ts'
import { createKeyedLock } from './keyed-lock.ts'
import { createUsageCount } from './usage-count.ts'
import { isNamed, nameBytes, verifyBytes } from './verify-bytes.ts'

/** Verified blocks over files: what is written has the hash of its name, and what is read has it, too. */
export type BlockStore = {
  put(bytes: Uint8Array, codec: Codec, signal?: AbortSignal): Promise<string>
  putVerified(cid: string, bytes: Uint8Array, options?: PutOptions): Promise<void>
  get(cid: string, signal?: AbortSignal): Promise<Uint8Array>
  has(cid: string, signal?: AbortSignal): Promise<boolean>
  size(cid: string, signal?: AbortSignal): Promise<number>
  verify(cid: string, signal?: AbortSignal): Promise<Verdict>
  blocks(signal?: AbortSignal): AsyncGenerator<StoredBlock & { storedAtMs: number }>
  usage(signal?: AbortSignal): Promise<Usage>
  /** Keeps `removeIf` off a block until the returned function is called; first waits for one under way. */
  hold(cid: string): Promise<() => void>
  /**
   * Removes a block that was stored at or before a time and that `isFree` gives away, unless it is held or being
   * worked on. From that question to the removal nobody else can start on the block. @returns whether it is gone
   */
  removeIf(cid: string, condition: { storedUntilMs: number; isFree: () => boolean }): Promise<boolean>
  /** Resolves when no write is under way. */
  settled(): Promise<void>
}

/** Writes at one time. More would only queue up in the kernel, and each holds up to 1 MiB. */
const writeConcurrency = 16

/** Kept from one look at a block to the next: to clear a new one for each costs as much as to hash it. */
const spareBuffers = 4

export function createBlockStore(options: {
  files: BlockFiles
  now: () => number
  onCorrupt: (cid: string) => void
}): BlockStore {
  const { files, now, onCorrupt } = options
  const lock = createKeyedLock()
  const limitWrites = pLimit(writeConcurrency)
  const writes = new Map<string, Promise<void>>()
  const holds = new Map<string, number>()
  const spare: Uint8Array[] = []
  const count = createUsageCount(files)

  /** `bytes` are known to have the hash. Several stores of one block become one write. */
  async function store(cid: string, bytes: Uint8Array): Promise<void> {
    let write = writes.get(cid)
    if (write === undefined) {
      write = limitWrites(() => lock.run(cid, () => writeBlock(cid, bytes))).finally(() => writes.delete(cid))
      writes.set(cid, write)
    }
    await write
  }

  async function writeBlock(cid: string, bytes: Uint8Array): Promise<void> {
    await count.during(cid, async () => {
      const before = await files.stat(cid)
      // The same name is no proof that the disk still holds the same bytes; a put must not vouch for a rotten copy.
      const present = before === null ? null : await readable(cid)
      if (present !== null && Buffer.compare(present, bytes) === 0) {
        await files.renew(cid, now())
        return { blocks: 0, bytes: 0 }
      }
      await files.write(cid, bytes)
      return { blocks: before === null ? 1 : 0, bytes: bytes.length - (before?.bytes ?? 0) }
    })
  }

  /** Null for a file that is not there; no bytes for one that the disk cannot give back any more. */
  async function readable(cid: string): Promise<Uint8Array | null> {
    try {
      return await files.read(cid)
    } catch (error) {
      if (isReadFailure(error)) return new Uint8Array(0)
      throw error
    }
  }

  async function inspect(cid: string): Promise<{ verdict: Verdict; bytes: Uint8Array }> {
    const bytes = await readable(cid)
    if (bytes === null) return { verdict: 'missing', bytes: new Uint8Array(0) }
    try {
      verifyBytes(cid, bytes)
      return { verdict: 'ok', bytes }
    } catch (error) {
      if (error instanceof CidMismatch) return { verdict: 'corrupt', bytes }
      throw error
    }
  }

  /** Whether one look at the file shows the block; if not, it says nothing about why. */
  async function looksSound(cid: string): Promise<boolean> {
    // One more than a block may have, or a file with something behind the block would pass.
    const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(maximumBlockBytes + 1)
    try {
      const bytes = await files.readInto(cid, buffer)
      return bytes !== null && isNamed(cid, bytes)
    } catch (error) {
      if (isReadFailure(error)) return false
      throw error
    } finally {
      if (spare.length < spareBuffers) spare.push(buffer)
    }
  }

  /** Looks again under the lock, since a put may have mended the block, and moves it aside if it is still bad. */
  function condemn(cid: string): Promise<Verdict> {
    return lock.run(cid, async () => {
      const { verdict } = await inspect(cid)
      if (verdict === 'corrupt') {
        await takeAway(cid, () => files.quarantine(cid))
        onCorrupt(cid)
      }
      return verdict
    })
  }

  async function takeAway(cid: string, work: () => Promise<void>): Promise<boolean> {
    let there = false
    await count.during(cid, async () => {
      const before = await files.stat(cid)
      if (before === null) return { blocks: 0, bytes: 0 }
      await work()
      there = true
      return { blocks: -1, bytes: -before.bytes }
    })
    return there
  }

  async function get(cid: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { verdict, bytes } = await inspect(cid)
    signal?.throwIfAborted()
    if (verdict === 'ok') return bytes
    if (verdict === 'corrupt' && (await condemn(cid)) === 'ok') return get(cid, signal)
    throw new BlockNotFound(cid, { wasDamaged: verdict === 'corrupt' })
  }

  return {
    async put(bytes, codec, signal) {
      checkBlockSize(bytes)
      const cid = nameBytes(bytes, codec)
      signal?.throwIfAborted()
      await store(cid, bytes)
      return cid
    },
    async putVerified(text, bytes, { signal, isHashed } = {}) {
      const { cid } = parseCid(text)
      checkBlockSize(bytes)
      if (isHashed !== true) verifyBytes(cid, bytes)
      signal?.throwIfAborted()
      await store(cid, bytes)
    },
    get: async (text, signal) => get(parseCid(text).cid, signal),
    has: async (text) => (await files.stat(parseCid(text).cid)) !== null,
    async size(text) {
      const { cid } = parseCid(text)
      const found = await files.stat(cid)
      if (found === null) throw new BlockNotFound(cid)
      return found.bytes
    },
    async verify(text, signal) {
      const { cid } = parseCid(text)
      const sound = await looksSound(cid)
      signal?.throwIfAborted()
      return sound ? 'ok' : condemn(cid)
    },
    async *blocks(signal) {
      for (const shard of files.shards) {
        signal?.throwIfAborted()
        for (const cid of await files.list(shard)) {
          const found = isCid(cid) ? await files.stat(cid) : null
          if (found !== null) yield { cid, ...found }
        }
      }
    },
    usage: (signal) => count.total(signal),
    async hold(cid) {
      holds.set(cid, (holds.get(cid) ?? 0) + 1)
      await lock.idle(cid)
      return () => {
        const left = (holds.get(cid) ?? 1) - 1
        if (left === 0) holds.delete(cid)
        else holds.set(cid, left)
      }
    },
    async removeIf(cid, { storedUntilMs, isFree }) {
      if (holds.has(cid) || writes.has(cid) || lock.isBusy(cid) || !isFree()) return false
      return lock.run(cid, async () => {
        const found = await files.stat(cid)
        if (found === null || found.storedAtMs > storedUntilMs) return false
        return takeAway(cid, () => files.remove(cid))
      })
    },
    async settled() {
      while (writes.size > 0) await Promise.allSettled(writes.values())
    },
  }
}

/** @throws BlockTooLarge */
export function checkBlockSize(bytes: Uint8Array): void {
  if (bytes.length > maximumBlockBytes) throw new BlockTooLarge(bytes.length, maximumBlockBytes)
}

/** A sector that cannot be read is a lost block, not a lost node. */
function isReadFailure(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EIO'
}
