import type { LoadedTrack } from '@hexachord/protocol/manifests'
import { DecryptError, decryptSegment, segmentKey } from '@hexachord/protocol/premium'

/** What fragments of MP4 begin with, and initialization sections (ISO/IEC 14496-12). */
const boxes = ['ftyp', 'styp', 'sidx', 'prft', 'emsg', 'moof', 'moov', 'mdat', 'free', 'skip', 'uuid']

/**
 * Tries a secret on the shortest encrypted block of a premium track.
 * @param get verified bytes of a block
 * @returns whether it opens; true where nothing of the track is encrypted
 */
export async function opensTrack(
  secret: Uint8Array,
  { renditions }: Pick<LoadedTrack, 'renditions'>,
  get: (cid: string) => Promise<Uint8Array>,
): Promise<boolean> {
  const [shortest] = renditions
    .flatMap(({ encryption, init, segments }) => {
      if (encryption === undefined) return []
      const { salt, clearSegments } = encryption
      // Where the first segment is encrypted so is the init section, by the same key.
      const first = { salt, index: 0, cid: init.data['/'], byteLength: init.byteLength }
      const hidden = segments.flatMap(([, byteLength, link], index) =>
        index < clearSegments ? [] : [{ salt, index, cid: link['/'], byteLength }],
      )
      return clearSegments === 0 ? [first, ...hidden] : hidden
    })
    .toSorted((a, b) => a.byteLength - b.byteLength)
  if (shortest === undefined) return true
  const bytes = await get(shortest.cid)
  try {
    const clear = await decryptSegment(bytes, segmentKey(secret, shortest.salt, shortest.index))
    // One wrong key in some 250 leaves what looks like padding.
    return boxes.includes(new TextDecoder('latin1').decode(clear.subarray(4, 8)))
  } catch (error) {
    if (error instanceof DecryptError) return false
    throw error
  }
}
