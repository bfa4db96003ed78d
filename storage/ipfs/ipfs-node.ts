import type { Codec } from '@hexachord/protocol/cids'

/**
 * What every IPFS node of ours can do, whatever stands behind it: an embedded block store or a daemon.
 * A block is named by CIDv1 in base32, raw or dag-json, sha2-256 (`protocol/cids`), and is at most 1 MiB. Every
 * call takes a signal and rejects with its reason once it is aborted, even while a disk or a daemon does not answer; a
 * write that has begun then goes on, since others may wait for it. `CidError` means that a text names no block.
 * While a daemon behind it is away or not sound, calls reject with KuboUnavailable, KuboRefused or KuboMisconfigured:
 * nothing acknowledged is lost by that, and the same call may be made again.
 */
export interface IpfsNode {
  /** Who this node is to others; the same after a restart. */
  readonly peerId: string

  /** Where others reach it, as multiaddrs that end in `/p2p/<peerId>`. Empty when it speaks to nobody. */
  addresses(): string[]

  /**
   * Stores a block. When this resolves the block survives a power cut.
   * @returns its CID
   * @throws BlockTooLarge, StorageFull
   */
  put(bytes: Uint8Array, codec: Codec, options?: AbortOptions): Promise<string>

  /**
   * Stores a block whose name is known, as `put` does, if the bytes have that name. Nothing is stored otherwise.
   * @throws CidMismatch, BlockTooLarge, StorageFull
   */
  putVerified(cid: string, bytes: Uint8Array, options?: PutOptions): Promise<void>

  /** The block's bytes, hashed on their way from the disk, from this node only. @throws BlockNotFound */
  get(cid: string, options?: AbortOptions): Promise<Uint8Array>

  /** Whether this node itself has the block. */
  has(cid: string, options?: AbortOptions): Promise<boolean>

  /** Bytes of the block, without reading it. @throws BlockNotFound */
  size(cid: string, options?: AbortOptions): Promise<number>

  /**
   * The block from this node, else by bitswap from registered peers; then it is stored, too.
   * @throws BlockUnavailable when no peer gives it in time
   */
  fetch(cid: string, options?: FetchOptions): Promise<Uint8Array>

  /**
   * Keeps a root and all that it links to, until `unpin`. Succeeds only if every block is here already.
   * Pinning twice is pinning once.
   * @throws MissingBlock naming the first absent block in document order, depth first; CidError when a dag-json
   * block cannot be read; PinTooLarge
   */
  pin(root: string, options?: PinOptions): Promise<PinnedSize>

  /** Lets a root go; its blocks stay until a collection. @returns whether it was pinned */
  unpin(root: string, options?: AbortOptions): Promise<boolean>

  isPinned(root: string, options?: AbortOptions): Promise<boolean>

  /** Roots that are pinned, oldest first where the backend knows. */
  pins(options?: AbortOptions): AsyncIterable<string>

  /** Removes blocks that no pin and no lease names and that were last put more than `graceMs` ago. */
  collect(options: CollectOptions): Promise<Collected>

  /** Keeps blocks from collection until a time in ms since 1970, whether they are here yet or not. */
  protect(cids: readonly string[], untilMs: number, options?: AbortOptions): Promise<void>

  /** Hashes what is on the disk. A corrupt block is moved aside, so that this node no longer has it. */
  verify(cid: string, options?: AbortOptions): Promise<Verdict>

  /** Every block this node has, in no particular order. */
  blocks(options?: AbortOptions): AsyncIterable<StoredBlock>

  /** Rejects with what is wrong when the node cannot give or take blocks at present. */
  check(options?: AbortOptions): Promise<void>

  /** How much is stored. The first call after a start counts and may take seconds. */
  usage(options?: AbortOptions): Promise<Usage>

  /** Lets running calls end, then lets go of disk and network. */
  close(): Promise<void>
}

export type AbortOptions = { readonly signal?: AbortSignal | undefined }

export type PutOptions = AbortOptions & {
  /** The caller has just hashed these very bytes itself, as a retriever does: they are not hashed once more. */
  readonly isHashed?: boolean | undefined
}

export type FetchOptions = AbortOptions & {
  /** Peer ids to ask first. @default every connected peer */
  readonly peers?: readonly string[] | undefined
}

export type PinOptions = AbortOptions & {
  /** Called after each block found, with the totals so far. */
  readonly onProgress?: ((soFar: PinnedSize) => void) | undefined
}

export type CollectOptions = AbortOptions & { readonly graceMs: number }

export type PinnedSize = { readonly blocks: number; readonly bytes: number }
export type Collected = { readonly removed: number; readonly bytes: number }
export type StoredBlock = { readonly cid: string; readonly bytes: number }
export type Usage = { readonly blocks: number; readonly bytes: number }
export type Verdict = 'ok' | 'missing' | 'corrupt'

/** A peer of the registry: its id and the multiaddrs where it may be dialled. */
export type RegisteredPeer = { readonly peerId: string; readonly addresses: readonly string[] }

/** The block is not on this node. */
export class BlockNotFound extends Error {
  override readonly name = 'BlockNotFound'
  readonly cid: string
  /** It was here until it was read, and its bytes were wrong. */
  readonly wasDamaged: boolean

  constructor(cid: string, options: ErrorOptions & { wasDamaged?: boolean } = {}) {
    super(`block ${cid} is not here`, options)
    this.cid = cid
    this.wasDamaged = options.wasDamaged ?? false
  }
}

/** No peer gave the block. */
export class BlockUnavailable extends Error {
  override readonly name = 'BlockUnavailable'
  readonly cid: string

  constructor(cid: string, why: string, options?: ErrorOptions) {
    super(`block ${cid} cannot be fetched: ${why}`, options)
    this.cid = cid
  }
}

/** The bytes are more than a block may have. */
export class BlockTooLarge extends Error {
  override readonly name = 'BlockTooLarge'
  readonly bytes: number

  constructor(bytes: number, limit: number) {
    super(`${bytes} bytes are more than the ${limit} that a block may have`)
    this.bytes = bytes
  }
}

/** A root cannot be pinned, because a block of it is not here. */
export class MissingBlock extends Error {
  override readonly name = 'MissingBlock'
  readonly root: string
  readonly cid: string

  constructor(root: string, cid: string, options?: ErrorOptions) {
    super(`${root} cannot be pinned: block ${cid} is not here`, options)
    this.root = root
    this.cid = cid
  }
}

/** A root links to more blocks than one pin may hold. */
export class PinTooLarge extends Error {
  override readonly name = 'PinTooLarge'

  constructor(root: string, limit: number) {
    super(`${root} cannot be pinned: it links to more than ${limit} blocks`)
  }
}

/** The disk, or the quota on it, is full. Nothing was stored. */
export class StorageFull extends Error {
  override readonly name = 'StorageFull'

  constructor(options?: ErrorOptions) {
    super('no room is left for blocks: free some disk space or raise the quota', options)
  }
}

/** Another process works on the directory. */
export class DirectoryLocked extends Error {
  override readonly name = 'DirectoryLocked'
  /** The holder, where it is known. */
  readonly pid: number | undefined

  constructor(directory: string, pid: number | undefined) {
    super(
      `${directory} is in use by ${pid === undefined ? 'another process' : `process ${pid}`}; stop it, or give this node a directory of its own`,
    )
    this.pid = pid
  }
}

/** The node cannot be reached where it should be: a port is taken, or an address is not one to listen on. */
export class ListenFailed extends Error {
  override readonly name = 'ListenFailed'

  constructor(addresses: readonly string[], cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const [systemError] = /\b(listen )?E[A-Z]{4,}[^\n]*/.exec(reason) ?? [reason.slice(0, 200)]
    super(`cannot listen for peers on ${addresses.join(', ')}: ${systemError}`, { cause })
  }
}

/** The node was closed. */
export class NodeClosed extends Error {
  override readonly name = 'NodeClosed'

  constructor() {
    super('this IPFS node is closed')
  }
}
