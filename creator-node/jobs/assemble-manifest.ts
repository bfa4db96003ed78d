import { linkTo } from '@hexachord/protocol/cids'
import { encodeManifest } from '@hexachord/protocol/manifests'
import type { MadeRendition, Upload } from '../uploads/index.ts'

/**
 * The manifest of what an upload has so far, best rendition first.
 * @returns undefined before the first rendition is done
 */
export function assembleManifest(upload: Upload): Uint8Array | undefined {
  const renditions = upload.renditions.flatMap(({ made }) => made ?? []).sort(bestFirst)
  const [best] = renditions
  if (best === undefined) return undefined
  const { measured, cover, original, premium } = upload
  return encodeManifest({
    v: 1,
    kind: 'track',
    durationMs: measured?.durationMs ?? best.durationMs,
    renditions: renditions.map(({ cid }) => linkTo(cid)),
    ...(cover === undefined ? {} : { cover }),
    ...(measured?.waveform === undefined ? {} : { waveform: measured.waveform }),
    ...(measured?.fingerprint === undefined ? {} : { fingerprint: measured.fingerprint }),
    ...(measured?.loudness === undefined ? {} : { loudness: measured.loudness }),
    ...(original === undefined ? {} : { original }),
    ...(premium === undefined ? {} : { keyHolders: [...premium.keyHolders] }),
  })
}

function bestFirst(a: MadeRendition, b: MadeRendition): number {
  return a.lossless === b.lossless ? b.averageBandwidth - a.averageBandwidth : a.lossless ? -1 : 1
}
