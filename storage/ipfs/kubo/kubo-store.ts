import { CidMismatch, cidFromDigest, parseCid } from '@hexachord/protocol/cids'
import pLimit from 'p-limit'
import { type BlockStore, checkBlockSize } from '../block-store.ts'
import { BlockNotFound, type Verdict } from '../ipfs-node.ts'
import { createKeyedLock } from '../keyed-lock.ts'
import { nameBytes, verifyBytes } from '../verify-bytes.ts'
import type { HeldBlocks } from './held-blocks.ts'
import type { KuboRpc } from './rpc.ts'
import { KuboFailed } from './rpc-failure.ts'

/** Writes at one time. Each is a few calls, and each holds up to 1 MiB. */
const writeConcurrency = 16

const pageSize = 256

/**
 * Verified blocks in a Kubo. It has the bytes; who owns what, since when and until when is decided by our tables.
 *
 * Each block that is held is pinned in Kubo, alone, by its raw CID: then `ipfs repo gc`, or a daemon run with
 * `--enable-gc`, takes nothing of ours, whether or not the blocks of a track are complete. What Kubo has beside
 * that is its operator's: it can be read and pinned, and is taken over when it is pinned, but it is neither
 * listed nor counted nor collected before.
 */
export function createKuboStore(options: {
  rpc: KuboRpc
  held: HeldBlocks
  now: () => number
  /** Keeps the bytes of a corrupt block for a person to look at. */
  quarantine: (cid: string, bytes: Uint8Array) => Promise<void>
}): BlockStore {
  const { rpc, held, now, quarantine } = options
  const lock = createKeyedLock()
  const limitWrites = pLimit(writeConcurrency)
  const writes = new Map<string, Promise<void>>()
  const holds = new Map<string, number>()

  /** `bytes` are known to have the hash. Several stores of one block become one write. */
  async function store(cid: string, bytes: Uint8Array): Promise<void> {
    const name = kuboName(cid)
    let write = writes.get(name)
    if (write === undefined) {
      write = limitWrites(() => lock.run(name, () => writeBlock(cid, bytes))).finally(() =>
        writes.delete(name),
      )
      writes.set(name, write)
    }
    await write
  }

  async function writeBlock(cid: string, bytes: Uint8Array): Promise<void> {
    const name = kuboName(cid)
    // A row of the first put says when collection may take what a failure leaves behind.
    held.keep(cid, bytes.length, now())
    const present = await rpc.get(name)
    const intact = present !== null && Buffer.compare(present, bytes) === 0
    // Kubo takes no bytes for a name that it has, so a rotten copy has to go first.
    if (present !== null && !intact) await takeOut(name)
    if (!intact || !(await rpc.pin(name))) await putAndPin(name, bytes)
    held.keep(cid, bytes.length, now())
  }

  async function putAndPin(name: string, bytes: Uint8Array): Promise<void> {
    // Between the two calls somebody's `ipfs repo gc` may take the block; hardly twice.
    for (const _attempt of [1, 2]) {
      const given = await rpc.put(bytes)
      if (given !== name) throw new KuboFailed(rpc.url, `it named a block ${given} that is ${name}`)
      if (await rpc.pin(name)) return
    }
    throw new KuboFailed(rpc.url, `block ${name} was gone at once after it was put`)
  }

  async function takeOut(name: string): Promise<void> {
    await rpc.unpin(name)
    await rpc.remove(name)
  }

  async function inspect(
    cid: string,
    signal: AbortSignal | undefined,
  ): Promise<{ verdict: Verdict; bytes: Uint8Array }> {
    const bytes = await rpc.get(kuboName(cid), signal)
    if (bytes === null) return { verdict: 'missing', bytes: new Uint8Array(0) }
    try {
      verifyBytes(cid, bytes)
      return { verdict: 'ok', bytes }
    } catch (error) {
      if (error instanceof CidMismatch) return { verdict: 'corrupt', bytes }
      throw error
    }
  }

  /** Looks again under the lock, since a put may have mended the block, and lets go of what is not there or bad. */
  function condemn(cid: string): Promise<Verdict> {
    const name = kuboName(cid)
    return lock.run(name, async () => {
      const { verdict, bytes } = await inspect(cid, undefined)
      if (verdict === 'ok') return verdict
      if (verdict === 'corrupt') await quarantine(cid, bytes)
      await takeOut(name)
      held.drop(cid)
      return verdict
    })
  }

  async function get(cid: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { verdict, bytes } = await inspect(cid, signal)
    if (verdict === 'ok') return bytes
    if (verdict === 'corrupt' && (await condemn(cid)) === 'ok') return get(cid, signal)
    throw new BlockNotFound(cid, { wasDamaged: verdict === 'corrupt' })
  }

  /** Makes a block that Kubo got in another way one of ours. */
  function adopt(cid: string): Promise<void> {
    const name = kuboName(cid)
    return lock.run(name, async () => {
      if (held.get(cid) !== undefined) return
      const { verdict, bytes } = await inspect(cid, undefined)
      if (verdict !== 'ok') return
      held.keep(cid, bytes.length, now())
      if (!(await rpc.pin(name))) await putAndPin(name, bytes)
    })
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
    has: async (text, signal) => (await rpc.size(kuboName(text), signal)) !== null,
    async size(text, signal) {
      const { cid } = parseCid(text)
      const bytes = await rpc.size(kuboName(cid), signal)
      if (bytes === null) throw new BlockNotFound(cid)
      return bytes
    },
    async verify(text, signal) {
      const { cid } = parseCid(text)
      const { verdict } = await inspect(cid, signal)
      const settled = verdict === 'ok' || (verdict === 'missing' && held.get(cid) === undefined)
      return settled ? verdict : condemn(cid)
    },
    async *blocks(signal) {
      for (let after: Uint8Array = new Uint8Array(0); ; ) {
        signal?.throwIfAborted()
        const page = held.page(after, pageSize)
        for (const { cid, bytes, storedAtMs } of page) yield { cid, bytes, storedAtMs }
        const last = page.at(-1)
        if (last === undefined) return
        after = last.digest
      }
    },
    usage: async () => held.usage(),
    async hold(cid) {
      const name = kuboName(cid)
      holds.set(name, (holds.get(name) ?? 0) + 1)
      const release = () => {
        const left = (holds.get(name) ?? 1) - 1
        if (left === 0) holds.delete(name)
        else holds.set(name, left)
      }
      try {
        await lock.idle(name)
        if (held.get(cid) === undefined) await adopt(cid)
        return release
      } catch (error) {
        release()
        throw error
      }
    },
    async removeIf(cid, { storedUntilMs, isFree }) {
      const name = kuboName(cid)
      if (holds.has(name) || writes.has(name) || lock.isBusy(name) || !isFree()) return false
      return lock.run(name, async () => {
        const row = held.get(cid)
        if (row === undefined || row.storedAtMs > storedUntilMs) return false
        await takeOut(name)
        held.drop(cid)
        return true
      })
    },
    async settled() {
      while (writes.size > 0) await Promise.allSettled(writes.values())
    },
  }
}

/** How Kubo is told of a block, whatever its codec. @throws CidError */
function kuboName(cid: string): string {
  return cidFromDigest(parseCid(cid).digest, 'raw')
}
