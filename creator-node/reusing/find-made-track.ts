import { originalFilename } from '@hexachord/protocol/manifests'
import type { Address, Hash } from '@hexachord/protocol/names'
import { BlockNotFound, type IpfsNode, MissingBlock } from '@hexachord/storage/ipfs'
import type { Upload, UploadChange, UploadStore } from '../uploads/index.ts'

/** Number of what is made of a file. It grows with every change after which the same file gives other renditions, so
 * that nobody who uploads it anew is given the old ones. */
export const recipe = 1

/** A file, and what is wanted of it. */
export type WantedTrack = Pick<Upload, 'byteLength' | 'keepOriginal' | 'premium' | 'filename' | 'grant'> & {
  readonly sha256: Hash
}

/**
 * A track that was made of the same file in the same way, and is still here as a whole: it is pinned anew.
 * @param account whose uploads are looked through. Naming a hash does not prove that somebody has the file: an account
 *   that has only named it is given what it once sent itself, and nothing of others. Left out once the file is here.
 */
export async function findMadeTrack(
  wanted: WantedTrack,
  options: { uploads: Pick<UploadStore, 'madeOf'>; ipfs: Pick<IpfsNode, 'pin'>; account?: Address },
): Promise<Upload | undefined> {
  for (const made of options.uploads.madeOf(wanted.byteLength)) {
    if (options.account !== undefined && made.account !== options.account) continue
    if (!isSame(made, wanted) || made.track === undefined) continue
    if (await pinnedAnew(made.track.manifest, options.ipfs)) return made
  }
  return undefined
}

/** What an upload takes over from the one that made the track. */
export function reuse(made: Upload): UploadChange {
  return {
    ...(made.source && { source: made.source }),
    ...(made.sha256 && { sha256: made.sha256 }),
    ...(made.tags && { tags: made.tags }),
    ...(made.measured && { measured: made.measured }),
    ...(made.cover && { cover: made.cover }),
    ...(made.original && { original: made.original, originalDoneBytes: made.byteLength }),
    ...(made.playable && { playable: made.playable }),
    ...(made.track && { track: made.track }),
    renditions: made.renditions,
    notes: made.notes,
    recipe,
    reused: true,
  }
}

/** Whether an upload could have a track to take over, so that it is worth to know the file's hash first. */
export function mayBeReused({ byteLength, premium }: Upload, uploads: Pick<UploadStore, 'madeOf'>): boolean {
  return premium === undefined && uploads.madeOf(byteLength).some((made) => made.recipe === recipe)
}

function isSame(made: Upload, wanted: WantedTrack): boolean {
  return (
    made.sha256 === wanted.sha256 &&
    made.recipe === recipe &&
    made.keepOriginal === wanted.keepOriginal &&
    // Two secrets make two tracks of one file, and what is encrypted stands for nothing in the clear.
    made.premium === undefined &&
    wanted.premium === undefined &&
    // The name of the file is part of a manifest with the original.
    (!wanted.keepOriginal || originalFilename(made.filename) === originalFilename(wanted.filename)) &&
    (made.track?.byteLength ?? 0) <= wanted.grant.byteLimit
  )
}

async function pinnedAnew(manifest: string, ipfs: Pick<IpfsNode, 'pin'>): Promise<boolean> {
  try {
    await ipfs.pin(manifest)
    return true
  } catch (error) {
    if (error instanceof MissingBlock || error instanceof BlockNotFound) return false
    throw error
  }
}
