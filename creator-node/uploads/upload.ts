import type { Manifest } from '@hexachord/protocol/manifests'
import type { Address, Hash, Subject } from '@hexachord/protocol/names'
import type { Grant } from '@hexachord/protocol/offers'
import { neededCopies, type Receipt } from '@hexachord/protocol/receipts'
import type { PremiumUpload, Replica, UploadAnswer } from '@hexachord/protocol/rest'
import type { Tags } from '../tags/index.ts'
import type { AudioSource, RenditionPlan } from '../transcoding/index.ts'
import type { UploadState } from './states.ts'

/** One upload, as this node remembers it: all that is needed to go on after a crash. */
export type Upload = {
  readonly id: string
  /** Grows by one with each change. */
  readonly version: number
  readonly state: UploadState
  readonly subject: Subject
  /** Who sends it, and alone may change it. */
  readonly account: Address
  readonly grant: Grant
  /** As given by the client; a label, never a path. */
  readonly filename: string
  readonly filetype: string | undefined
  /** Whether the file itself becomes part of the track. */
  readonly keepOriginal: boolean
  /** What makes it a premium track; its secret stays sealed. */
  readonly premium?: PremiumUpload
  /** sha256 that the client expects. */
  readonly expectedSha256: Hash | undefined
  readonly byteLength: number
  readonly receivedBytes: number
  readonly createdAtMs: number
  readonly changedAtMs: number
  /** When each step ended. */
  readonly receivedAtMs?: number
  readonly renderedAtMs?: number
  readonly endedAtMs?: number
  /** Why it failed. */
  readonly failure?: { readonly problem: string; readonly reason: string }
  /** What did not go as hoped and harms nothing, such as a broken cover. */
  readonly notes: readonly string[]
  readonly source?: AudioSource
  readonly sha256?: Hash
  readonly tags?: Tags
  readonly renditions: readonly UploadRendition[]
  /** Loudness, waveform, fingerprint and cover as they stand in the manifest; length of what can be heard. */
  readonly measured?: Pick<Manifest, 'loudness' | 'waveform' | 'fingerprint'> & {
    readonly durationMs: number
  }
  readonly cover?: NonNullable<Manifest['cover']>
  /** The file itself as it stands in the manifest, once all of it is stored; and how much of it is. */
  readonly original?: NonNullable<Manifest['original']>
  readonly originalDoneBytes?: number
  /** Of which edition of this program's work the track is: see `recipe` in `reusing`. */
  readonly recipe?: number
  /** Whether the track was there before, made of the same file. */
  readonly reused?: boolean
  /** Manifest of what is playable so far. */
  readonly playable?: string
  readonly track?: NonNullable<UploadAnswer['track']>
  readonly replicas: readonly UploadReplica[]
  readonly copies: number
  /** Copies that are there; holders under common control count as one. */
  readonly heldCopies?: number
  /** What replication waits for, or why it went without some; in words. */
  readonly waitingFor?: string | undefined
  /** Whether the source file was deleted. */
  readonly sourceGone: boolean
  /** Whether this node has let go of the track's blocks. */
  readonly released: boolean
}

export type UploadRendition = {
  readonly plan: RenditionPlan
  readonly state: 'waiting' | 'running' | 'done' | 'failed'
  readonly doneMs: number
  readonly segments: number
  /** The rendition's block, once it is done, and what a manifest has to know of it. */
  readonly made?: MadeRendition
}

export type MadeRendition = {
  readonly cid: string
  readonly byteLength: number
  /** All its blocks together. */
  readonly totalBytes: number
  readonly durationMs: number
  readonly lossless: boolean
  /** Bits per second. */
  readonly averageBandwidth: number
}

export type UploadReplica = Replica & {
  /** Name of the offer at the operator. */
  readonly offer?: Hash
  readonly receipt?: Receipt
  /** The key that was seen to have signed it. */
  readonly signedBy?: Address
}

/** What the client is shown.
 * @param beside what does not stand with the upload itself: length of its list of blocks, uploads before it in line */
export function answerOf(
  upload: Upload,
  beside: { blocks: number; ahead?: number | undefined },
): UploadAnswer {
  const { source, sha256, receivedAtMs, renderedAtMs, endedAtMs } = upload
  return {
    id: upload.id,
    version: upload.version,
    subject: upload.subject,
    state: upload.state,
    ...upload.failure,
    notes: [...upload.notes],
    reused: upload.reused ?? false,
    filename: upload.filename,
    byteLength: upload.byteLength,
    receivedBytes: upload.receivedBytes,
    ...(upload.state === 'queued' && beside.ahead !== undefined ? { ahead: beside.ahead } : {}),
    ...(source && sha256
      ? {
          source: {
            sha256,
            durationMs: source.durationMs,
            codec: source.codec,
            sampleRateHz: source.sampleRateHz,
            channels: source.channels,
            lossless: source.lossless,
          },
        }
      : {}),
    ...(upload.tags ? { tags: upload.tags } : {}),
    renditions: upload.renditions.map(({ plan, state, doneMs, segments }) => ({
      name: plan.name,
      state,
      doneMs,
      segments,
    })),
    ...(upload.keepOriginal
      ? { original: { doneBytes: upload.originalDoneBytes ?? 0, byteLength: upload.byteLength } }
      : {}),
    blocks: beside.blocks,
    playable: upload.playable ?? null,
    track: upload.track ?? null,
    replicas: upload.replicas.map(({ operator, endpoint, state, blocks, reason }) => ({
      operator,
      endpoint,
      state,
      blocks,
      ...(reason === undefined ? {} : { reason }),
    })),
    receipts: upload.replicas.flatMap(({ receipt }) => receipt ?? []),
    copies: upload.copies,
    neededCopies: Math.min(neededCopies, upload.copies),
    heldCopies: upload.heldCopies ?? 0,
    ...(upload.waitingFor === undefined ? {} : { waitingFor: upload.waitingFor }),
    ms: {
      ...(receivedAtMs && renderedAtMs ? { transcode: renderedAtMs - receivedAtMs } : {}),
      ...(renderedAtMs && endedAtMs && upload.state === 'ready'
        ? { replicate: endedAtMs - renderedAtMs }
        : {}),
    },
  }
}
