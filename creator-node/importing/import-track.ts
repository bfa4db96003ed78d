import { hash } from 'node:crypto'
import { CarError, type CarriedTrack, readCarriedTrack } from '@hexachord/protocol/cars'
import { CidError, CidMismatch, parseCid } from '@hexachord/protocol/cids'
import { blocksOf, type LoadedRendition, ManifestError, renditionName } from '@hexachord/protocol/manifests'
import { inspectTrack } from '@hexachord/storage/tracks'
import pLimit from 'p-limit'
import { currentUpload, type Work } from '../jobs/work.ts'
import { SourceError } from '../transcoding/index.ts'
import type { Upload, UploadRendition } from '../uploads/index.ts'
import { withCarOnDisk } from './car-on-disk.ts'
import { checkContents } from './check-contents.ts'
import { checkSound } from './check-sound.ts'

/** Of a file that holds a whole track already (https://www.iana.org/assignments/media-types). */
export const carType = 'application/vnd.ipld.car'

export function isCarried({ filetype }: Pick<Upload, 'filetype'>): boolean {
  return filetype?.split(';')[0]?.trim().toLowerCase() === carType
}

/** Blocks stored at one time: enough to hide a disk's fsync behind the next one's hash. */
const storesAtOnce = 4

/**
 * Takes a track that was made elsewhere out of a CAR: the same blocks, hence the same names, and nothing is encoded.
 * All of the file is checked before anything of it is stored: hashes, completeness, lengths, that the sound is sound,
 * can be decoded, and is as long as the manifest says, pictures, the author's limit. A file that is refused is deleted at once.
 * @throws SourceError when the file is refused, which trying again will not change
 */
export async function importTrack(work: Work, signal: AbortSignal): Promise<void> {
  const { id, uploads, files } = work
  try {
    await withCarOnDisk(work.input, async (file) => {
      const found = await readCarriedTrack(file, {
        signal,
        sha256: (bytes) => hash('sha256', bytes, 'buffer'),
      })
      checkSize(found, currentUpload(work))
      await checkContents(found.track, found.block, signal)
      await checkSound(found.track.renditions, found.block, work, signal)
      await store(work, found, signal)
    })
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    await files.remove(id)
    uploads.change(id, () => ({ sourceGone: true }))
    throw refusal
  }
}

function refusalOf(error: unknown): SourceError | undefined {
  if (error instanceof SourceError) return error
  const isTheirs =
    error instanceof CarError ||
    error instanceof ManifestError ||
    error instanceof CidError ||
    error instanceof CidMismatch
  if (isTheirs) {
    return new SourceError('notATrack', `the file cannot be taken in: ${error.message}`, { cause: error })
  }
  // Deleted by an earlier run that refused it, and was killed before it could say so.
  const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  return isGone
    ? new SourceError('notATrack', 'the file was refused: look at it with hexachord import')
    : undefined
}

function checkSize({ storage }: CarriedTrack, { grant }: Upload): void {
  if (storage.byteLength <= grant.byteLimit) return
  throw new SourceError(
    'tooLarge',
    `the track has ${storage.byteLength} bytes; the author's grant allows ${grant.byteLimit}: sign a larger one`,
  )
}

async function store(work: Work, found: CarriedTrack, signal: AbortSignal): Promise<void> {
  const { id, uploads, recorder, ipfs, now, onTrack } = work
  const { track, carried } = found
  const renditions = track.renditions.map((rendition, index) =>
    importedRendition(rendition, renditionName(track, index)),
  )
  const { title, artist, album, genre, isrc } = carried?.details ?? {}
  const tags = Object.entries({ title, artist, album, genre, isrc }).filter(
    ([, value]) => value !== undefined,
  )
  // Before the first block: by these operators are told how much room the track takes.
  uploads.change(id, () => ({
    renditions,
    tags: Object.fromEntries(tags),
    keepOriginal: track.manifest.original !== undefined,
  }))
  onTrack(track)
  const limit = pLimit(storesAtOnce)
  const blocks = blocksOf(track)
  await Promise.all(
    blocks.map(({ cid }) =>
      limit(async () => {
        signal.throwIfAborted()
        await recorder.store(await found.block(cid), parseCid(cid).codec)
      }),
    ),
  )
  recorder.flush()
  const roots = new Map(uploads.blocks(id, 0, Number.MAX_SAFE_INTEGER).map(({ cid, root }) => [cid, root]))
  const held = await inspectTrack(ipfs, track.cid, { signal, knownRoot: (cid) => roots.get(cid) })
  await ipfs.pin(track.cid, { signal })
  uploads.apply(id, 'rendered', () => ({
    playable: track.cid,
    renderedAtMs: now(),
    track: {
      manifest: track.cid,
      storageRoot: held.storageRoot,
      leafCount: held.leafCount,
      byteLength: held.byteLength,
      durationMs: track.manifest.durationMs,
    },
  }))
}

/** A rendition that was made elsewhere, as if by a plan that copies. */
function importedRendition(rendition: LoadedRendition, name: string): UploadRendition {
  const { codec, averageBandwidth, channels, sampleRateHz, segments, timescale, cid, byteLength } = rendition
  const ticks = segments.reduce((sum, [count]) => sum + count, 0)
  const durationMs = Math.round((ticks * 1000) / timescale)
  const lossless = codec === 'fLaC'
  const totalBytes = segments.reduce((sum, [, bytes]) => sum + bytes, byteLength + rendition.init.byteLength)
  return {
    plan: {
      name,
      method: 'copy',
      codec: lossless ? 'flac' : 'aac',
      bitRate: averageBandwidth,
      channels,
      sampleRateHz,
      bitsPerSample: 16,
      segmentSeconds: 6,
    },
    state: 'done',
    doneMs: durationMs,
    segments: segments.length,
    made: { cid, byteLength, totalBytes, durationMs, lossless, averageBandwidth },
  }
}
