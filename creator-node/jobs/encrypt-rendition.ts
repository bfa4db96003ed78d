import { encryptSegment, renditionSalt, segmentKey } from '@hexachord/protocol/premium'
import type { Encryption, RenditionPlan } from '../transcoding/index.ts'
import { currentUpload, type Work } from './work.ts'

/** How the segments of a rendition are encrypted before they are named; undefined for a track that is none to be. */
export function encryptionOf(work: Work, plan: RenditionPlan): Encryption | undefined {
  const { id, premium, subject } = currentUpload(work)
  if (premium === undefined) return undefined
  const secret = work.openSecret(premium.sealed, subject)
  // Frames that were copied and frames that were encoded are two sounds, and so is what replaces a track's audio later.
  const salt = renditionSalt(secret, `${id} ${plan.name} ${plan.method}`)
  return {
    method: 'AES-128',
    salt,
    clearSegments: Math.floor(premium.clearMs / (plan.segmentSeconds * 1000)),
    encrypt: (bytes, index) => encryptSegment(bytes, segmentKey(secret, salt, index)),
  }
}
