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
  /** Called once it is known what there is to bring, before any of it is stored. */
  onTrack?: ((track: LoadedTrack) => void) | undefined
  onBlock?: (block: PulledBlock) => void
  signal?: AbortSignal
}): Promise<PulledTrack> {
  const { ipfs, manifest, byteLimit, now, signal } = options
  /** Manifest and renditions, which say what else there is: they are stored with the rest, once all of it is leased. */
  const documents = new Map<string, Retrieved>()

  const track = await loadTrack(manifest, async (cid) => {
    const document = await getOrFetch({ ...options, cid })
    documents.set(cid, document)
    return document.bytes
  })
  const blocks = blocksOf(track)
  const byteLength = blocks.reduce((sum, block) => sum + block.byteLength, 0)
  if (byteLength > byteLimit) {
    throw new TrackTooLarge(`${manifest} has ${byteLength} bytes; ${byteLimit} may be taken for it`)
  }
  options.onTrack?.(track)
  await ipfs.protect(
    blocks.map(({ cid }) => cid),
    now() + options.leaseMs,
    { signal },
  )
  const roots = new Map<string, BlockRoot>()
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const limit = pLimit(options.concurrency ?? defaultConcurrency)
  const ordered = [
    ...blocks.filter(({ cid }) => documents.has(cid)),
    ...blocks.filter(({ cid }) => !documents.has(cid)),
  ]
  const outcomes = await Promise.allSettled(
    ordered.map((block) =>
      limit(async () => {
        either.throwIfAborted()
        try {
          await bring(options, { block, known: documents.get(block.cid), roots, either })
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
  /** Id of the source that gave them; undefined when they were here before. */
  readonly source: string | undefined
}

type Ways = {
  readonly ipfs: Pick<IpfsNode, 'get' | 'putVerified'>
  readonly retriever: Pick<Retriever, 'retrieve'>
  readonly rootOf: RootHasher['rootOf']
  readonly signal?: AbortSignal
}

/** A block from this node, else from the first source that gives it; then it is stored and synced here, too, while its
 * root is computed.
 * @throws RetrievalFailed, StorageFull, CidError */
export async function getOrRetrieve(
  options: Ways & { cid: string },
): Promise<Retrieved & { /** Of a block that was not here before. */ readonly root: BlockRoot | undefined }> {
  const { bytes, source } = await getOrFetch(options)
  return { bytes, source, root: source === undefined ? undefined : await store(options, options.cid, bytes) }
}

async function getOrFetch({
  ipfs,
  retriever,
  cid,
  signal,
}: Pick<Ways, 'ipfs' | 'retriever' | 'signal'> & { cid: string }): Promise<Retrieved> {
  try {
    return { bytes: await ipfs.get(cid, { signal }), source: undefined }
  } catch (error) {
    if (!(error instanceof BlockNotFound)) throw error
  }
  return retriever.retrieve(cid, signal === undefined ? {} : { signal })
}

/** @param bytes known to have the hash */
async function store(
  { ipfs, rootOf, signal }: Omit<Ways, 'retriever'>,
  cid: string,
  bytes: Uint8Array,
): Promise<BlockRoot> {
  const [root] = await Promise.all([rootOf(bytes), ipfs.putVerified(cid, bytes, { signal, isHashed: true })])
  return root
}

/**
 * Has a leased block here, synced. What has arrived is stored even when the others are given up, for the next try.
 * @param work.known a document's bytes, wherever they are from
 * @param work.either ends what is still to be retrieved
 */
async function bring(
  options: Parameters<typeof pullTrack>[0],
  work: {
    block: TrackBlock
    known: Retrieved | undefined
    roots: Map<string, BlockRoot>
    either: AbortSignal
  },
): Promise<void> {
  const { block, known, roots, either } = work
  const { ipfs, retriever, signal } = options
  const { cid } = block
  let source: string | undefined
  let byteLength: number
  // Also of a document that was here when it was read: until it was leased it may have been collected.
  if (await ipfs.has(cid, { signal })) byteLength = await ipfs.size(cid, { signal })
  else {
    const { bytes, source: giver } = known ?? (await retriever.retrieve(cid, { signal: either }))
    roots.set(cid, await store(options, cid, bytes))
    source = giver
    byteLength = bytes.length
  }
  if (byteLength !== block.byteLength) {
    throw new IncompleteTrack(
      cid,
      `block ${cid} has ${byteLength} bytes, the manifest says ${block.byteLength}`,
    )
  }
  options.onBlock?.({ cid, byteLength, source })
}
