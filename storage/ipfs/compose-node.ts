import { parseCid } from '@hexachord/protocol/cids'
import { abortable } from './abortable.ts'
import type { Bitswap } from './bitswap/index.ts'
import type { BlockStore } from './block-store.ts'
import { collectBlocks } from './collection.ts'
import {
  type AbortOptions,
  BlockNotFound,
  BlockUnavailable,
  type FetchOptions,
  type IpfsNode,
  NodeClosed,
} from './ipfs-node.ts'
import type { PinTable } from './pin-table.ts'
import { pinRoot } from './pinning.ts'

export interface ConnectedIpfs extends IpfsNode {
  /** Peer ids with an open connection. */
  connectedPeers(): string[]
}

export type NodeParts = {
  peerId: string
  store: BlockStore
  table: PinTable
  bitswap: Bitswap | undefined
  now: () => number
  /** Rejects with what keeps the parts from working. */
  check: (signal: AbortSignal | undefined) => Promise<void>
  /** Lets go of what the parts stand on, once nothing uses them any more. */
  release: () => Promise<void>
}

const pinPageSize = 256

/** The parts of a node, of either backend, as one `IpfsNode` with one life. */
export function composeNode(parts: NodeParts): ConnectedIpfs {
  const { store, table, bitswap, now } = parts
  const closing = new AbortController()
  const running = new Set<Promise<unknown>>()
  let closed: Promise<void> | undefined

  /** Runs a call that `close` waits for; its caller waits no longer than its signal says, whatever a disk does. */
  async function call<Result>(
    options: AbortOptions | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    checkOpen(options)
    const result = work()
    running.add(result)
    const ended = () => running.delete(result)
    result.then(ended, ended)
    return abortable(result, options?.signal)
  }

  function checkOpen(options: AbortOptions | undefined): void {
    if (closed !== undefined) throw new NodeClosed()
    options?.signal?.throwIfAborted()
  }

  /** For calls too long for `close` to wait for. */
  function untilClosing(options: AbortOptions | undefined): AbortSignal {
    return options?.signal === undefined ? closing.signal : AbortSignal.any([options.signal, closing.signal])
  }

  async function fetch(cid: string, options: FetchOptions): Promise<Uint8Array> {
    try {
      return await store.get(cid, options.signal)
    } catch (error) {
      if (!(error instanceof BlockNotFound)) throw error
    }
    if (bitswap === undefined) throw new BlockUnavailable(cid, 'this node exchanges no blocks with others')
    const bytes = await bitswap.request(cid, options.peers ?? [], options.signal)
    await store.putVerified(cid, bytes, { signal: options.signal })
    return bytes
  }

  async function close(): Promise<void> {
    closing.abort(new NodeClosed())
    await bitswap?.close()
    await Promise.allSettled(running)
    await store.settled()
    await parts.release()
  }

  return {
    peerId: parts.peerId,
    addresses: () => bitswap?.addresses() ?? [],
    connectedPeers: () => bitswap?.connectedPeers() ?? [],
    put: (bytes, codec, options) => call(options, () => store.put(bytes, codec, options?.signal)),
    putVerified: (cid, bytes, options) => call(options, () => store.putVerified(cid, bytes, options)),
    get: (cid, options) => call(options, () => store.get(cid, options?.signal)),
    has: (cid, options) => call(options, () => store.has(cid, options?.signal)),
    size: (cid, options) => call(options, () => store.size(cid, options?.signal)),
    fetch: (text, options) => call(options, async () => fetch(parseCid(text).cid, options ?? {})),
    pin: (root, options) =>
      call(options, () => pinRoot(store, table, root, { ...options, signal: untilClosing(options) })),
    unpin: (root, options) => call(options, async () => table.remove(parseCid(root).cid)),
    isPinned: (root, options) => call(options, async () => table.has(parseCid(root).cid)),
    async *pins(options) {
      for (let after = 0; ; ) {
        checkOpen(options)
        const page = table.page(after, pinPageSize)
        yield* page.map(({ root }) => root)
        const last = page.at(-1)
        if (last === undefined) return
        after = last.id
      }
    },
    collect: (options) =>
      call(options, () => collectBlocks(store, table, now, { ...options, signal: untilClosing(options) })),
    protect: (cids, untilMs, options) => call(options, async () => table.lease(cids, untilMs)),
    verify: (cid, options) => call(options, () => store.verify(cid, options?.signal)),
    async *blocks(options) {
      checkOpen(options)
      for await (const { cid, bytes } of store.blocks(untilClosing(options))) yield { cid, bytes }
    },
    check: (options) => call(options, () => parts.check(options?.signal)),
    usage: (options) => call(options, () => store.usage(untilClosing(options))),
    close() {
      closed ??= close()
      return closed
    },
  }
}
