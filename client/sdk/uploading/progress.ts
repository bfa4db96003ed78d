import type { Hash } from '@hexachord/protocol/names'
import type { UploadAnswer } from '@hexachord/protocol/rest'

/** One rendition on its way; `doneMs` of the track's `totalMs` are cut and stored. */
export type RenditionProgress = {
  readonly name: string
  readonly state: 'waiting' | 'running' | 'done' | 'failed'
  readonly doneMs: number
  readonly totalMs: number
}

/** One operator's copy; it has `doneBlocks` of the `totalBlocks` that there are so far. */
export type CopyProgress = {
  readonly operator: string
  readonly endpoint: string
  readonly state: UploadAnswer['replicas'][number]['state']
  readonly doneBlocks: number
  readonly totalBlocks: number
  readonly reason?: string
}

/** What a node makes of a file, as exactly as the node tells it. */
export type NodeProgress = {
  /** `ended`: failed or cancelled there; `upload` says why. */
  readonly step: 'receiving' | 'queued' | 'transcoding' | 'copying' | 'ready' | 'ended'
  readonly node: string
  readonly upload: UploadAnswer
  /** Uploads before this one, while it is queued. */
  readonly ahead?: number
  readonly renditions: readonly RenditionProgress[]
  /** Operators take their copies while renditions are still being made. */
  readonly copies: readonly CopyProgress[]
}

/** How a file gets to the network, from the first byte sent to the copies of other operators. Sending begins anew when
 * another node takes over. */
export type UploadProgress =
  | {
      readonly step: 'sending'
      readonly node: string
      readonly sentBytes: number
      readonly totalBytes: number
    }
  | NodeProgress
  /** A node was given up, and `node` is tried next. */
  | { readonly step: 'moving'; readonly node: string; readonly reason: string }

/** How an action gets to everybody. `sent`: a node has it, signed; `mined`: it is on the chain, and discovery reads it
 * there; `applied`: what it says can be found; `final`: no reorganisation can take it back. */
export type PublishProgress = {
  readonly step: 'publishing'
  readonly hash: Hash
  readonly status: 'sent' | 'mined' | 'applied' | 'final'
}

/** All that happens to a file until it is a track that everybody can find. */
export type Progress = UploadProgress | PublishProgress

const steps = {
  receiving: 'receiving',
  queued: 'queued',
  processing: 'transcoding',
  replicating: 'copying',
  ready: 'ready',
  failed: 'ended',
  cancelled: 'ended',
} as const satisfies Record<UploadAnswer['state'], NodeProgress['step']>

export function nodeProgress(upload: UploadAnswer, node: string): NodeProgress {
  const totalMs = upload.source?.durationMs ?? 0
  return {
    step: steps[upload.state],
    node,
    upload,
    ...(upload.ahead === undefined ? {} : { ahead: upload.ahead }),
    renditions: upload.renditions.map(({ name, state, doneMs }) => ({
      name,
      state,
      totalMs,
      doneMs: Math.min(doneMs, totalMs),
    })),
    copies: upload.replicas.map(({ operator, endpoint, state, blocks, reason }) => ({
      operator,
      endpoint,
      state,
      // What is held is all of it, also where an older count was the last one that was told.
      doneBlocks: state === 'held' ? upload.blocks : Math.min(blocks, upload.blocks),
      totalBlocks: upload.blocks,
      ...(reason === undefined ? {} : { reason }),
    })),
  }
}
