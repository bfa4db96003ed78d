import { blocksOf, type LoadedTrack, loadTrack } from '@hexachord/protocol/manifests'
import type { Retriever } from '@hexachord/protocol/retrieval'
import type { BlockRoot } from '@hexachord/protocol/storage-root'
import pLimit from 'p-limit'
import { BlockNotFound, type IpfsNode } from '../ipfs/index.ts'
import { IncompleteTrack, type TrackBlock } from './inspect-track.ts'
import type { RootHasher } from './root-hasher.ts'

/** The track has more bytes than may be taken for it. */
export class TrackTooLarge extends Error {
  override readonly name = 'TrackTooLarge'
}

export type PulledBlock = TrackBlock & {
  /** Id of the source that gave it; undefined when it was here before. */
  readonly source: string | undefined
}

export type PulledTrack = {
  readonly track: LoadedTrack
  readonly blocks: readonly TrackBlock[]
  readonly byteLength: number
  /** Of each block that was not here before, for `inspectTrack`: nothing of it need be read again. */
  readonly roots: ReadonlyMap<string, BlockRoot>
}

/** Each way there and back is waited for by one of these; more only queue up at the other side. */
const defaultConcurrency = 12

/**
 * Brings every block of a track to this node: what is here already is left as it is, the rest is taken from the
 * retriever's sources, checked and synced. Nothing is pinned: that is for the caller, once this has resolved.
 * @param options.byteLimit checked against the manifest before its segments are fetched
 * @param options.leaseMs how long what was brought is safe from collection, from the last look at it on
 * @throws TrackTooLarge; IncompleteTrack when a block has another length than the manifest says; ManifestError and
 * CidError when it is no track; RetrievalFailed when no source gives a block; StorageFull; the signal's reason
 */
export async function pullTrack(options: {
  ipfs: Pick<IpfsNode, 'get' | 'has' | 'size' | 'putVerified' | 'protect'>
  retriever: Pick<Retriever, 'retrieve'>
  rootOf: RootHasher['rootOf']
  manifest: string
  byteLimit: number
  leaseMs: number
  /** ms since 1970. */
  now: () => number
  /** Blocks on their way at one time. @default 12 */
  concurrency?: number
  onBlock?: (block: PulledBlock) => void
  signal?: AbortSignal
}): Promise<PulledTrack> {
  const { ipfs, manifest, byteLimit, now, signal } = options
  const brought = new Set<string>()
  const roots = new Map<string, BlockRoot>()

  async function bring(cid: string): Promise<Uint8Array> {
    const { bytes, source, root } = await getOrRetrieve({ ...options, cid })
    brought.add(cid)
    if (root !== undefined) roots.set(cid, root)
    options.onBlock?.({ cid, byteLength: bytes.length, source })
    return bytes
  }

  await ipfs.protect([manifest], now() + options.leaseMs, { signal })
  const track = await loadTrack(manifest, bring)
  const blocks = blocksOf(track)
  const byteLength = blocks.reduce((sum, block) => sum + block.byteLength, 0)
  if (byteLength > byteLimit) {
    throw new TrackTooLarge(`${manifest} has ${byteLength} bytes; ${byteLimit} may be taken for it`)
  }
  await ipfs.protect(
    blocks.map(({ cid }) => cid),
    now() + options.leaseMs,
    { signal },
  )
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const limit = pLimit(options.concurrency ?? defaultConcurrency)
  const missing = blocks.filter(({ cid }) => !brought.has(cid))
  const outcomes = await Promise.allSettled(
    missing.map((block) =>
      limit(async () => {
        either.throwIfAborted()
        try {
          await bringLeaf(options, { block, roots, signal: either })
        } catch (error) {
          // One that cannot be had makes the others useless for now; they stay leased for the next try.
          stop.abort(error)
          throw error
        }
      }),
    ),
  )
  signal?.throwIfAborted()
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw stop.signal.reason
  return { track, blocks, byteLength, roots }
}

type Retrieved = {
  readonly bytes: Uint8Array
  /** Of a block that was not here before. */
  readonly source: string | undefined
  readonly root: BlockRoot | undefined
}

/** A block from this node, else from the first source that gives it; then it is stored and synced here, too, while its
 * root is computed.
 * @throws RetrievalFailed, StorageFull, CidError */
export async function getOrRetrieve(options: {
  ipfs: Pick<IpfsNode, 'get' | 'putVerified'>
  retriever: Pick<Retriever, 'retrieve'>
  rootOf: RootHasher['rootOf']
  cid: string
  signal?: AbortSignal
}): Promise<Retrieved> {
  const { ipfs, cid, signal } = options
  try {
    return { bytes: await ipfs.get(cid, { signal }), source: undefined, root: undefined }
  } catch (error) {
    if (!(error instanceof BlockNotFound)) throw error
  }
  return retrieveInto(options)
}

async function retrieveInto(options: Parameters<typeof getOrRetrieve>[0]): Promise<Retrieved> {
  const { ipfs, retriever, rootOf, cid, signal } = options
  const { bytes, source } = await retriever.retrieve(cid, signal === undefined ? {} : { signal })
  const [root] = await Promise.all([rootOf(bytes), ipfs.putVerified(cid, bytes, { signal, isHashed: true })])
  return { bytes, source, root }
}

async function bringLeaf(
  options: Parameters<typeof pullTrack>[0],
  { block, roots, signal }: { block: TrackBlock; roots: Map<string, BlockRoot>; signal: AbortSignal },
): Promise<void> {
  const { ipfs } = options
  const { cid } = block
  let source: string | undefined
  let byteLength: number
  if (await ipfs.has(cid, { signal })) byteLength = await ipfs.size(cid, { signal })
  else {
    const retrieved = await retrieveInto({ ...options, cid, signal })
    if (retrieved.root !== undefined) roots.set(cid, retrieved.root)
    source = retrieved.source
    byteLength = retrieved.bytes.length
  }
  if (byteLength !== block.byteLength) {
    throw new IncompleteTrack(
      cid,
      `block ${cid} has ${byteLength} bytes, the manifest says ${block.byteLength}`,
    )
  }
  options.onBlock?.({ cid, byteLength, source })
}
