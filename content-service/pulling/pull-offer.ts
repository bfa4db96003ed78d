import { setTimeout as delay } from 'node:timers/promises'
import type { GuardedFetch } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { isDatabaseFull, type Sqlite, whenThereIsRoom } from '@hexachord/platform/sqlite'
import { CidError, parseCid } from '@hexachord/protocol/cids'
import { type LoadedTrack, loadTrack, ManifestError } from '@hexachord/protocol/manifests'
import type { Address } from '@hexachord/protocol/names'
import type { BlockList } from '@hexachord/protocol/offers'
import { RetrievalFailed, type Retriever } from '@hexachord/protocol/retrieval'
import type { BlockRoot } from '@hexachord/protocol/storage-root'
import type { Catalogue } from '@hexachord/storage/catalogue'
import { type IpfsNode, StorageFull } from '@hexachord/storage/ipfs'
import { type NodeClient, peerIdFromHex } from '@hexachord/storage/peers'
import { explain, type Takedowns } from '@hexachord/storage/takedowns'
import {
  bitswapSource,
  createNodeRetriever,
  gatewaySource,
  getOrRetrieve,
  IncompleteTrack,
  type InspectedTrack,
  inspectTrack,
  isTrackFault,
  type RootHasher,
} from '@hexachord/storage/tracks'
import type { LimitFunction } from 'p-limit'
import pRetry from 'p-retry'
import type { HashedBlock, Lease, ListedBlock, OfferStore, Room } from '../offers/index.ts'
import type { IssueReceipt, ReceiptStore } from '../receipts/index.ts'
import { pullBlocks } from './pull-blocks.ts'
import { PullRefused } from './pull-refused.ts'
import { ListUnavailable, readBlockList } from './read-block-list.ts'

export type PullDependencies = {
  database: Pick<Sqlite, 'transaction'>
  catalogue: Pick<Catalogue, 'accepted' | 'operators' | 'tracksWith'>
  ipfs: IpfsNode
  client: NodeClient
  fetch: GuardedFetch
  rootOf: RootHasher['rootOf']
  offers: OfferStore
  receipts: ReceiptStore
  issueReceipt: IssueReceipt
  room: Pick<Room, 'isBelowFloor'>
  takedowns: Pick<Takedowns, 'trackDenied'>
  /** This node's operator. */
  self: Address
  /** Bounds the blocks on their way of all pulls together. */
  sharedLimit: LimitFunction
  /** How long blocks are safe from collection, renewed for as long as they are pulled; then the pin keeps them. */
  protectMs: number
  logger: Logger
  /** ms since 1970. */
  now: () => number
  /** Called with each track that is brought here once it is known what it is; of one that somebody has published already,
   * before the blocks that are listed with its manifest or after it are here. */
  onTrack: (track: LoadedTrack) => void
  /** Called when there is more to tell about a lease. */
  onProgress: (lease: Lease) => void
}

/** How long the other side may wait with its answer when there is nothing new. */
const listWaitMs = 20_000
/** Pause before asking again when the other side does not wait. */
const idlePauseMs = 250
const firstRetryMs = 250
const longestRetryMs = 15_000
/** Blocks that one track may have: ten hours in eight renditions. */
const maximumBlocks = 200_000
/** Manifest, renditions and the list of the original, of which a track has a dozen. */
const documentsOfTrack = 64
/** Progress is written this often, not for every block: a commit costs a sync. */
const writeEveryMs = 200

/**
 * Pulls what an offer lists while it is being made, checks that it is a track within the offer's limit, pins it, and
 * signs and stores a receipt. Goes on where a process before it stopped.
 * @throws PullRefused when it will never be held, and the signal's reason
 */
export async function pullOffer(
  lease: Lease,
  dependencies: PullDependencies,
  outer: AbortSignal,
): Promise<void> {
  const { database, ipfs, offers } = dependencies
  const roots = new Map<string, BlockRoot>()
  const progress = createProgress(lease, dependencies)
  const retriever = retrieverFor(lease, dependencies)
  const blocks = pullBlocks({
    ipfs,
    retriever,
    rootOf: dependencies.rootOf,
    source: new URL(lease.source).origin,
    sharedLimit: dependencies.sharedLimit,
    onStored(block) {
      roots.set(block.cid, block)
      progress.note(block)
    },
    signal: outer,
  })
  const { signal } = blocks
  const ending = new AbortController()
  let protection: Promise<void> | undefined
  const tell = createTeller(retriever, dependencies, signal)
  try {
    const listed = offers.listed(lease.id)
    await tell(listed)
    for (const block of listed) {
      const { cid, byteLength, root, leafCount } = block
      if (root !== undefined && leafCount !== undefined) roots.set(cid, { root, leafCount, byteLength })
      blocks.start(block)
    }
    protection = keepProtected(lease, dependencies, ending.signal)
    // It is awaited at the end; until then a failure must not count as unhandled.
    protection.catch(() => undefined)
    const manifest = lease.manifest ?? (await followList(lease, dependencies, blocks, tell))
    await blocks.done()
    progress.write()
    await checkFloor(dependencies.room)
    checkTakedowns(lease, manifest, dependencies)
    const held = await inspect(ipfs, manifest, (cid) => roots.get(cid), signal)
    if (held.byteLength > lease.byteLimit) throw overLimit(held.byteLength, lease)
    dependencies.onTrack(held.track)
    await ipfs.pin(manifest, { signal })
    const receipt = await dependencies.issueReceipt(lease.subject, held)
    database.transaction(() => {
      dependencies.receipts.put(receipt)
      offers.hold(lease.id)
    })
  } finally {
    ending.abort()
    await blocks.end()
    await protection
    progress.write()
  }
}

/** Renews the protection of what an offer has listed so far until `signal`. Not until the offer ends: a track that is
 * deleted before could not be collected. */
async function keepProtected(
  { id }: Lease,
  { ipfs, offers, protectMs, logger, now }: PullDependencies,
  signal: AbortSignal,
): Promise<void> {
  const protect = () => {
    const cids = offers.listed(id).map(({ cid }) => cid)
    return ipfs.protect(cids, now() + protectMs)
  }
  try {
    for (;;) {
      await whenThereIsRoom(protect, { what: 'the protection of an offer', signal, logger })
      await delay(protectMs / 2, undefined, { signal })
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Reads the growing list to its end and starts what it names. @returns the manifest */
async function followList(
  lease: Lease,
  { client, ipfs, protectMs, now, offers, room, takedowns }: PullDependencies,
  blocks: ReturnType<typeof pullBlocks>,
  tell: (listed: readonly ListedBlock[]) => Promise<void>,
): Promise<string> {
  const { signal } = blocks
  const known = new Set(offers.listed(lease.id).map(({ cid }) => cid))
  let { cursor, listedBytes } = lease
  for (;;) {
    checkTakedowns(lease, undefined, { takedowns })
    const list = await retrying(
      () => readBlockList({ client, source: lease.source, after: cursor, waitMs: listWaitMs, signal }),
      signal,
    )
    if (list.state === 'failed') throw new PullRefused('the source has given the track up')
    const fresh = list.items.filter(({ cid }) => !known.has(cid))
    for (const { cid } of fresh) known.add(cid)
    if (fresh.length > 0) await checkFloor(room)
    listedBytes += fresh.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (listedBytes > lease.byteLimit) throw overLimit(listedBytes, lease)
    if (known.size > maximumBlocks) throw new PullRefused(`the list names more than ${maximumBlocks} blocks`)
    await ipfs.protect(
      fresh.map(({ cid }) => cid),
      now() + protectMs,
      { signal },
    )
    const manifest = endOf(list)
    cursor = list.next
    offers.addListed(lease.id, { blocks: fresh, cursor, manifest })
    await tell(fresh)
    for (const block of fresh) blocks.start(block)
    if (manifest !== null) return manifest
    if (list.items.length === 0) await delay(idlePauseMs, undefined, { signal })
  }
}

/**
 * Reads those of the listed blocks that are manifests of published tracks, and tells of these tracks. What cannot be read
 * now is told of at the end, as is everything that nobody has published.
 */
function createTeller(
  retriever: Retriever,
  { ipfs, rootOf, catalogue, onTrack }: PullDependencies,
  signal: AbortSignal,
): (listed: readonly ListedBlock[]) => Promise<void> {
  let documents = 0
  const read = (cid: string) => getOrRetrieve({ ipfs, retriever, rootOf, cid, signal })
  return async (listed) => {
    for (const { cid: manifest } of listed) {
      if (parseCid(manifest).codec !== 'dag-json') continue
      documents += 1
      if (documents > documentsOfTrack) return
      if (catalogue.tracksWith(manifest).length === 0) continue
      try {
        onTrack(await loadTrack(manifest, async (cid) => (await read(cid)).bytes))
      } catch (error) {
        // The pull meets the same, and says so.
        const isMet = error instanceof RetrievalFailed || error instanceof StorageFull
        if (!isMet && !isTrackFault(error)) throw error
      }
    }
  }
}

/** What others write onto the disk was not known when the offer was taken.
 * @throws PullRefused */
async function checkFloor(room: Pick<Room, 'isBelowFloor'>): Promise<void> {
  if (await room.isBelowFloor()) {
    throw new PullRefused('the disk here has less free space than its operator leaves for everything else')
  }
}

/** What was offered may be taken down while it is on its way.
 * @throws PullRefused */
function checkTakedowns(
  { subject }: Lease,
  manifest: string | undefined,
  { takedowns }: Pick<PullDependencies, 'takedowns'>,
): void {
  const takedown = takedowns.trackDenied(subject, manifest)
  if (takedown === undefined) return
  throw new PullRefused(`this operator does not hold ${subject}: ${explain(takedown)}`)
}

/** The manifest, once there is nothing more to read. */
function endOf({ state, manifest, items }: BlockList): string | null {
  if (state !== 'complete' || manifest === null) return null
  return items.length === 0 || items.some(({ cid }) => cid === manifest) ? manifest : null
}

async function inspect(
  ipfs: IpfsNode,
  manifest: string,
  knownRoot: (cid: string) => BlockRoot | undefined,
  signal: AbortSignal,
): Promise<InspectedTrack> {
  try {
    return await inspectTrack(ipfs, manifest, { knownRoot, signal })
  } catch (cause) {
    if (cause instanceof IncompleteTrack) {
      throw new PullRefused(`the manifest does not fit the list: ${cause.message}`, { cause })
    }
    if (cause instanceof ManifestError || cause instanceof CidError) {
      throw new PullRefused(`${manifest} is not a track: ${cause.message}`, { cause })
    }
    throw cause
  }
}

/** The asking node first; should it be in trouble, whoever else is pulling the same track. */
function retrieverFor(lease: Lease, { catalogue, fetch, ipfs, self }: PullDependencies): Retriever {
  const asking = catalogue.operators().get(lease.operator)
  const askingPeer = asking && peerIdFromHex(asking.peerId)
  return createNodeRetriever({
    fetch,
    sources: () => [
      gatewaySource(new URL(lease.source).origin),
      ...(askingPeer === undefined ? [] : [bitswapSource(ipfs, [askingPeer], 1)]),
      ...catalogue
        .accepted(lease.subject)
        .operators.filter(({ operator }) => operator !== self)
        .map(({ endpoint }) => gatewaySource(endpoint, 2)),
    ],
  })
}

/** Notes stored blocks some at a time; the last ones at the latest when `write` is called at the end. */
function createProgress(lease: Lease, { database, offers, onProgress }: PullDependencies) {
  let pending: HashedBlock[] = []
  let timer: NodeJS.Timeout | undefined
  function write(): void {
    clearTimeout(timer)
    timer = undefined
    if (pending.length === 0) return
    database.transaction(() => {
      for (const block of pending) offers.addStored(lease.id, block)
    })
    pending = []
    onProgress(lease)
  }
  function writeSoon(): void {
    timer ??= setTimeout(() => {
      try {
        write()
      } catch (error) {
        // Nothing is lost of what is to be written: without room on the disk the pull meets the same, and waits.
        if (!isDatabaseFull(error)) throw error
        writeSoon()
      }
    }, writeEveryMs)
  }
  return {
    note(block: HashedBlock): void {
      pending.push(block)
      writeSoon()
    },
    write,
  }
}

function retrying<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  return pRetry(work, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: firstRetryMs,
    maxTimeout: longestRetryMs,
    randomize: true,
    signal,
    shouldRetry: ({ error }) => error instanceof ListUnavailable,
  })
}

function overLimit(bytes: number, { byteLimit }: Lease): PullRefused {
  return new PullRefused(`the track has ${bytes} bytes or more, the offer allows ${byteLimit}`)
}
