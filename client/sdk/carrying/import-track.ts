import { CarError, type CarFile, type CarriedTrack, readCarriedTrack } from '@hexachord/protocol/cars'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import type { Connection } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { type UploadSource, type UploadTrackOptions, uploadTrack } from '../uploading/index.ts'

/** By this type a creator node knows that a file holds a whole track. */
export const carType = 'application/vnd.ipld.car'

/** The track in a CAR is another than the one that was published. */
export class OtherTrack extends Error {
  override readonly name = 'OtherTrack'
}

/** A file as `openAsBlob` of `node:fs`, or a file input, gives it; read in slices, never as a whole. */
export function carFileOfBlob(content: Blob): CarFile {
  return {
    // Not every browser can iterate over a stream.
    async *stream() {
      const reader = content.stream().getReader()
      for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
    },
    read: async (offset, length) =>
      new Uint8Array(await content.slice(offset, offset + length).arrayBuffer()),
  }
}

/**
 * Reads a CAR with a track in it and checks all of it: hashes, completeness, lengths.
 * @throws CarError, ManifestError, CidError
 */
export function inspectCar(content: Blob, options: { signal?: AbortSignal } = {}): Promise<CarriedTrack> {
  return readCarriedTrack(carFileOfBlob(content), options)
}

/**
 * Checks that a CAR is whole and holds what was published.
 * @throws OtherTrack, CarError, ManifestError, CidError
 */
export async function verifyExport(
  content: Blob,
  {
    manifest,
    storageRoot,
    leafCount,
    byteLength,
  }: Pick<Track, 'manifest' | 'storageRoot' | 'leafCount' | 'byteLength'>,
  options: { signal?: AbortSignal } = {},
): Promise<CarriedTrack> {
  const found = await inspectCar(content, options)
  const { storage, track } = found
  const same =
    track.cid === manifest &&
    storage.root === storageRoot &&
    storage.leafCount === leafCount &&
    storage.byteLength === byteLength
  if (!same)
    throw new OtherTrack(
      `the file holds ${track.cid} with storage root ${storage.root}, and not what was published`,
    )
  return found
}

/**
 * Sends a track that was carried here to a creator node, which takes it as it is: nothing is encoded anew, and every
 * block keeps its name. All of the file should have been checked before, by `inspectCar`; the node checks it again.
 * @returns the upload in state `ready`: manifest and receipts for the publish action
 * @throws as `uploadTrack`, and CarError when the node made another track of it
 */
export async function importTrack(
  connection: Connection,
  account: Account,
  source: UploadSource,
  carried: Pick<CarriedTrack, 'track'>,
  options: UploadTrackOptions = {},
): Promise<UploadAnswer> {
  const content = source.content.slice(0, source.content.size, carType)
  const upload = await uploadTrack(connection, account, { ...source, content }, options)
  if (upload.track?.manifest !== carried.track.cid) {
    throw new CarError(`the node made ${upload.track?.manifest} of the file, and not ${carried.track.cid}`)
  }
  return upload
}
