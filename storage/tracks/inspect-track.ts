import { CidError } from '@hexachord/protocol/cids'
import { blocksOf, type LoadedTrack, loadTrack, ManifestError } from '@hexachord/protocol/manifests'
import type { Hash } from '@hexachord/protocol/names'
import { type BlockRoot, type Entry, storageRoot } from '@hexachord/protocol/storage-root'
import pLimit from 'p-limit'
import { BlockNotFound, type IpfsNode } from '../ipfs/index.ts'
import { blockRoot } from './block-root.ts'

export type TrackBlock = { readonly cid: string; readonly byteLength: number }

/** A track of which this node holds every block; the last three are the fields of a receipt. */
export type InspectedTrack = {
  readonly track: LoadedTrack
  /** In the order of the storage root. */
  readonly blocks: readonly TrackBlock[]
  readonly storageRoot: Hash
  readonly leafCount: number
  readonly byteLength: number
}

/** A manifest that does not agree with its blocks, or with what is here; `cid` is the block where it shows. */
export class IncompleteTrack extends Error {
  override readonly name = 'IncompleteTrack'
  readonly cid: string

  constructor(cid: string, reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.cid = cid
  }
}

/**
 * Whether an error of the functions here says something about the track: that a block of it is missing, or that it is
 * none. Any other (a daemon that is away, no file descriptors left) says only that it cannot be looked at now.
 */
export function isTrackFault(error: unknown): boolean {
  return error instanceof IncompleteTrack || error instanceof ManifestError || error instanceof CidError
}

/** Blocks read at one time. */
const readsAtOnce = 4

/**
 * Reads every block of a track on this node, which checks its hash, and its length against the manifest's, and
 * computes the storage root.
 * @param options.knownRoot root of a block that was hashed when it was stored: then it only has to be here
 * @throws IncompleteTrack when a block is missing or has another length than the manifest says
 * @throws ManifestError, CidError when the manifest or a rendition is not one
 */
export async function inspectTrack(
  ipfs: Pick<IpfsNode, 'get' | 'size'>,
  manifest: string,
  options: {
    signal?: AbortSignal | undefined
    knownRoot?: ((cid: string) => BlockRoot | undefined) | undefined
  } = {},
): Promise<InspectedTrack> {
  const { signal } = options
  const track = await loadLocalTrack(ipfs, manifest, { signal })
  const blocks = blocksOf(track)
  const limit = pLimit(readsAtOnce)
  const entries = await Promise.all(
    blocks.map((block) =>
      limit(async (): Promise<Entry> => {
        signal?.throwIfAborted()
        const root = await rootOf(ipfs, block.cid, options)
        if (root.byteLength !== block.byteLength) {
          throw new IncompleteTrack(
            block.cid,
            `block ${block.cid} has ${root.byteLength} bytes, the manifest says ${block.byteLength}`,
          )
        }
        return { cid: block.cid, root: root.root, byteLength: root.byteLength }
      }),
    ),
  )
  const { root, leafCount, byteLength } = storageRoot(entries)
  return { track, blocks, storageRoot: root, leafCount, byteLength }
}

/**
 * Manifest and renditions from this node.
 * @throws IncompleteTrack when one of these blocks is missing; ManifestError, CidError
 */
export async function loadLocalTrack(
  ipfs: Pick<IpfsNode, 'get'>,
  manifest: string,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<LoadedTrack> {
  return loadTrack(manifest, (cid) => here(cid, () => ipfs.get(cid, options)))
}

async function rootOf(
  ipfs: Pick<IpfsNode, 'get' | 'size'>,
  cid: string,
  { signal, knownRoot }: Parameters<typeof inspectTrack>[2] & object,
): Promise<BlockRoot> {
  const known = knownRoot?.(cid)
  if (known === undefined) return blockRoot(await here(cid, () => ipfs.get(cid, { signal })))
  return { ...known, byteLength: await here(cid, () => ipfs.size(cid, { signal })) }
}

async function here<Result>(cid: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof BlockNotFound) throw new IncompleteTrack(cid, `block ${cid} is not here`, { cause })
    throw cause
  }
}
