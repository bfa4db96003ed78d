import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import { addressSchema, hashSchema, subjectSchema } from '../names/index.ts'
import { receiptSchema } from '../receipts/index.ts'

/** tus `Upload-Metadata` of `POST /uploads`, after base64. `grant` is JSON of `grantSchema` in `offers`. */
export const uploadMetadataSchema = z.object({
  filename: z.string().min(1).max(255),
  filetype: z.string().max(100).optional(),
  /** sha256 of the file in hex, if the client knows it: the same source is recognised by it. */
  sha256: hashSchema.optional(),
  grant: z.string().max(2000),
})
export type UploadMetadata = z.infer<typeof uploadMetadataSchema>

const replicaSchema = z.object({
  operator: addressSchema,
  endpoint: z.string(),
  state: z.enum(['offered', 'pulling', 'held', 'refused', 'failed']),
  blocks: z.int().nonnegative(),
  reason: z.string().optional(),
})
export type Replica = z.infer<typeof replicaSchema>

/** `GET /uploads/:id`, and each event of `/uploads/:id/events` (event `upload`, id = `version`). */
export const uploadAnswerSchema = z.object({
  id: z.string(),
  /** Grows by one with each change. */
  version: z.int(),
  subject: subjectSchema,
  state: z.enum(['receiving', 'queued', 'processing', 'replicating', 'ready', 'failed', 'cancelled']),
  /** Why it failed, for the artist; `problem` is the machine-readable kind (`notAudio`, `truncated`, …). */
  reason: z.string().optional(),
  problem: z.string().optional(),
  filename: z.string(),
  byteLength: z.int(),
  receivedBytes: z.int(),
  source: z
    .object({
      sha256: hashSchema,
      durationMs: z.int(),
      codec: z.string(),
      sampleRateHz: z.int(),
      channels: z.int(),
      lossless: z.boolean(),
    })
    .optional(),
  /** What the file says of itself, as a proposal for the publish action. */
  tags: z
    .object({
      title: z.string().optional(),
      artist: z.string().optional(),
      album: z.string().optional(),
      genre: z.string().optional(),
      isrc: z.string().optional(),
    })
    .optional(),
  renditions: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['waiting', 'running', 'done', 'failed']),
      /** Of the source's duration. */
      doneMs: z.int(),
      segments: z.int(),
    }),
  ),
  /** A manifest that plays from this node already, before every rendition is there. */
  playable: cidSchema.nullable(),
  /** The complete track, once all renditions are there. */
  track: z
    .object({
      manifest: cidSchema,
      storageRoot: hashSchema,
      leafCount: z.int(),
      byteLength: z.int(),
      durationMs: z.int(),
    })
    .nullable(),
  replicas: z.array(replicaSchema),
  receipts: z.array(receiptSchema),
  /** Receipts that this track should have before it is published. */
  copies: z.int(),
  /** Durations of finished steps. */
  ms: z.object({
    transcode: z.int().optional(),
    replicate: z.int().optional(),
  }),
})
export type UploadAnswer = z.infer<typeof uploadAnswerSchema>

/** `GET /status` of a node that holds segments; each service adds its own members. */
export const nodeStatusSchema = z.looseObject({
  service: z.enum(['creator-node', 'content-service']),
  version: z.string(),
  operator: addressSchema,
  hotKey: addressSchema,
  chainId: z.int(),
  head: z.int(),
  ipfs: z.object({
    peerId: z.string(),
    addresses: z.array(z.string()),
    blocks: z.int(),
    bytes: z.int(),
  }),
})
export type NodeStatus = z.infer<typeof nodeStatusSchema>
