import { isCid } from '@hexachord/protocol/cids'
import type { Connection } from '@hexachord/sdk/connect'
import { findTrack, loadManifest } from '@hexachord/sdk/finding'
import { UsageError } from '../settings/index.ts'
import { subjectIn } from './named.ts'

/** Names a picture: by its CID, or as the cover of a track.
 * @returns finds its CID
 * @throws UsageError for neither */
export function pictureIn(
  text: string,
): (connection: Connection, options: { signal: AbortSignal }) => Promise<string> {
  if (isCid(text)) return async () => text
  const track = subjectIn(text, "picture's CID, and no track")
  return async (connection, options) => {
    const found = await findTrack(connection, track, options)
    const { manifest } = await loadManifest(connection, found, options)
    const [largest] = (manifest.cover ?? []).toSorted((one, other) => other.byteLength - one.byteLength)
    if (largest === undefined) throw new UsageError(`${track} has no cover`)
    return largest.image['/']
  }
}
