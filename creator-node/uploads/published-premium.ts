import type { Subject } from '@hexachord/protocol/names'
import { type Catalogue, liveTrack } from '@hexachord/storage/catalogue'
import type { NodeTill } from '@hexachord/storage/till'
import type { UploadStore } from './upload-store.ts'

/**
 * Whether what is published of a track now is encrypted, whichever node has made it, and whatever was published before.
 * @param options.loadTrack the manifest, from here or from holders of the track; undefined in a network without payments,
 *   where nobody can be a key holder
 * @returns undefined for one that is not published @throws Problem 410, 502
 */
export async function publishedPremium(
  subject: Subject,
  options: {
    catalogue: Pick<Catalogue, 'subject'>
    uploads: Pick<UploadStore, 'byManifest'>
    loadTrack: NodeTill['loadTrack'] | undefined
  },
): Promise<boolean | undefined> {
  const { catalogue, uploads, loadTrack } = options
  const live = liveTrack(subject, catalogue.subject(subject))
  if (live === undefined) return undefined
  if (loadTrack === undefined) return uploads.byManifest(live.manifest)[0]?.premium !== undefined
  return (await loadTrack(live.manifest, subject)).manifest.keyHolders !== undefined
}
