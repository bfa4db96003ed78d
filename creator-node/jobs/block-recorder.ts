import { isDatabaseFull } from '@hexachord/platform/sqlite'
import type { Codec } from '@hexachord/protocol/cids'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import { blockRoot } from '@hexachord/storage/tracks'
import type { Upload, UploadBlock, UploadChange, UploadRendition, UploadStore } from '../uploads/index.ts'

/** Stores the blocks of one upload and writes them onto its list, on which operators wait. */
export type BlockRecorder = {
  /**
   * Resolves once the block is durable; it is on the list a moment later.
   * @param wanted until it resolves the block is kept from the list; where it rejects the block never gets there, and
   *   is collected like everything that nobody names
   * @returns its CID
   */
  store(bytes: Uint8Array, codec: Codec, wanted?: Promise<unknown>): Promise<string>
  /** Notes how far a rendition is. */
  progress(name: string, soFar: Pick<UploadRendition, 'segments' | 'doneMs'>): void
  /** Writes what is noted now, and a change of the upload with it. */
  flush(change?: (upload: Upload) => UploadChange): void
  close(): void
}

/** A commit costs a sync of the disk, for which everything waits: segments share one, and none waits long. */
const coalesceMs = 150

export function createBlockRecorder(options: {
  id: string
  uploads: UploadStore
  ipfs: Pick<IpfsNode, 'put'>
  /** Called when the first block is on the list. */
  onFirstBlock: () => void
}): BlockRecorder {
  const { id, uploads, ipfs } = options
  let blocks: UploadBlock[] = []
  const progress = new Map<string, Pick<UploadRendition, 'segments' | 'doneMs'>>()
  /** Renditions that have segments. */
  const begun = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let hasBlocks = uploads.blockCount(id) > 0
  let announced = false

  function flush(change?: (upload: Upload) => UploadChange): void {
    clearTimeout(timer)
    timer = undefined
    if (blocks.length === 0 && progress.size === 0 && change === undefined) return
    uploads.change(
      id,
      (upload) => {
        const renditions = withProgress(upload.renditions, progress)
        return { renditions, ...change?.({ ...upload, renditions }) }
      },
      blocks,
    )
    hasBlocks ||= blocks.length > 0
    blocks = []
    progress.clear()
    if (hasBlocks && !announced) {
      announced = true
      options.onFirstBlock()
    }
  }

  function list(block: UploadBlock): void {
    blocks.push(block)
    soon()
  }

  function soon(): void {
    timer ??= setTimeout(() => {
      try {
        flush()
      } catch (error) {
        // Nothing is lost of what is to be written: without room on the disk the work meets the same, and waits.
        if (!isDatabaseFull(error)) throw error
        soon()
      }
    }, coalesceMs)
  }

  return {
    async store(bytes, codec, wanted) {
      const cid = await ipfs.put(bytes, codec)
      const block = { cid, byteLength: bytes.length, root: blockRoot(bytes) }
      if (wanted === undefined) list(block)
      else
        wanted.then(
          () => list(block),
          () => undefined,
        )
      return cid
    },
    progress(name, soFar) {
      progress.set(name, soFar)
      // A rendition's first segments go out at once: with them replication and listening begin.
      if (soFar.segments > 0 && !begun.has(name)) {
        begun.add(name)
        flush()
      } else soon()
    },
    flush,
    close: () => flush(),
  }
}

function withProgress(
  renditions: readonly UploadRendition[],
  progress: ReadonlyMap<string, Pick<UploadRendition, 'segments' | 'doneMs'>>,
): UploadRendition[] {
  return renditions.map((rendition) => {
    const soFar = rendition.state === 'done' ? undefined : progress.get(rendition.plan.name)
    return soFar === undefined ? rendition : { ...rendition, ...soFar, state: 'running' }
  })
}
