import * as z from 'zod'
import { signedActionSchema } from '../actions/signed-action.ts'
import { cidSchema } from '../cids/index.ts'
import { maximumKeyHolders } from '../manifests/index.ts'
import { addressSchema, hashSchema, subjectSchema } from '../names/index.ts'
import { sealedSecretPattern } from '../premium/index.ts'
import { receiptSchema } from '../receipts/index.ts'

/** tus `Upload-Metadata` of `POST /uploads`, after base64. `grant` is JSON of `grantSchema` in `offers`. */
export const uploadMetadataSchema = z.object({
  filename: z.string().min(1).max(255),
  filetype: z.string().max(100).optional(),
  /** sha256 of the file in hex, if the client knows it. What arrives is held against it; and a file that the same
   * account has sent to this node before need not be sent again: the upload then begins past `receiving`. */
  sha256: hashSchema.optional(),
  /** `true`: the file itself becomes part of the track, for whoever wants it as the artist made it. The grant's
   * byte limit must cover it. */
  keepOriginal: z.enum(['true', 'false']).optional(),
  /** JSON of `premiumUploadSchema`: the track shall open with keys only. Chosen before the upload: what was free stays so. */
  premium: z.string().max(2000).optional(),
  grant: z.string().max(2000),
})
export type UploadMetadata = z.infer<typeof uploadMetadataSchema>

/** What makes an upload a premium track; see `premium`. */
export const premiumUploadSchema = z.strictObject({
  /** The track's secret, sealed to the hot key of the node that makes the track. */
  sealed: z.string().regex(sealedSecretPattern, 'must be a secret that was sealed to this node'),
  /** So much of its beginning is in the clear, in ms; rounded down to whole segments. */
  clearMs: z.int().min(0).max(600_000),
  keyHolders: z.array(addressSchema).min(1).max(maximumKeyHolders),
})
export type PremiumUpload = z.infer<typeof premiumUploadSchema>

const replicaSchema = z.object({
  operator: addressSchema,
  endpoint: z.string(),
  /** refused: for good; failed: for now, it is asked again. */
  state: z.enum(['offered', 'pulling', 'held', 'refused', 'failed']),
  /** Blocks that it has, of the upload's `blocks`. */
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
  /** What did not go as hoped and harms nothing, such as a cover that cannot be read; for the artist. */
  notes: z.array(z.string()),
  /** This node had made the track of this very file before: nothing was made or stored again, and its bytes are not
   * counted in the day's budget. */
  reused: z.boolean(),
  filename: z.string(),
  byteLength: z.int(),
  receivedBytes: z.int(),
  /** Uploads that are worked on before this one; only while it is `queued`. */
  ahead: z.int().optional(),
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
      /** Where it stands on its album. */
      disc: z.int().optional(),
      number: z.int().optional(),
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
  /** The file itself, where it becomes part of the track: how much of it is stored. */
  original: z.object({ doneBytes: z.int(), byteLength: z.int() }).optional(),
  /** Blocks to be held so far; of the whole track once `track` is there. */
  blocks: z.int(),
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
  /** Copies that this track should have before it is published: three, or one per operator where there are fewer. */
  copies: z.int(),
  /** Copies without which no indexer accepts it. */
  neededCopies: z.int(),
  /** Copies that are there: holders under common control count as one. */
  heldCopies: z.int(),
  /** What it waits for, or why it has fewer copies than others; for people. */
  waitingFor: z.string().optional(),
  /** Durations of finished steps. */
  ms: z.object({
    transcode: z.int().optional(),
    replicate: z.int().optional(),
  }),
})
export type UploadAnswer = z.infer<typeof uploadAnswerSchema>

const allowanceSchema = z.object({
  /** Left of today's budget (UTC). */
  left: z.int(),
  perDay: z.int(),
})

/** `GET /uploads`: what a creator node takes now; also `accepting` of its `/status`. With a token in `Authorization`
 * it says in `you` what holds for that account. Sizes in bytes. */
export const uploadTermsSchema = z.object({
  /** Whether a new upload of a welcome account would be taken now. */
  acceptsUploads: z.boolean(),
  /** Why not; for people. */
  reason: z.string().optional(),
  /** Whose music this node takes. With `invite`: whoever gives an invite once to `POST /publishers`. */
  publishers: z.enum(['open', 'invite', 'allowlist']),
  maximumBytes: z.int(),
  /** Room on the disk for new uploads. */
  roomBytes: z.int(),
  /** Uploads that are being sent, and that wait for their turn or are worked on. */
  receiving: z.int(),
  queued: z.int(),
  processing: z.int(),
  /** Uploads that may be under way at one time, of all and of one account. */
  maximumOpen: z.int(),
  maximumOpenPerAccount: z.int(),
  /** What is left of the node's budgets of today. Gas is what actions cost that this node sends. */
  today: z.object({ bytes: allowanceSchema, gas: allowanceSchema, actions: allowanceSchema }),
  you: z
    .object({
      account: addressSchema,
      mayPublish: z.boolean(),
      open: z.int(),
      today: z.object({ bytes: allowanceSchema, gas: allowanceSchema, actions: allowanceSchema }),
    })
    .optional(),
})
export type UploadTerms = z.infer<typeof uploadTermsSchema>

/** Body of `POST /publishers`, with a token in `Authorization`: makes the account one that may publish through a
 * creator node whose `publishers` are `invite`. An invite serves one account; giving it again does no harm. */
export const inviteRedemptionSchema = z.strictObject({ invite: z.string().min(1).max(200) })

/** Member `transaction` of a problem that keeps an action from being relayed: what its author can send alone. */
export const transactionSchema = z.object({
  chainId: z.int(),
  to: addressSchema,
  function: z.string(),
  data: z.string(),
})
export type Transaction = z.infer<typeof transactionSchema>

/** `POST /releases` of a creator node, with a token in `Authorization`: it holds the action back, and nobody sees it before
 * its time. One action of a subject is held at a time; the newer takes the place of the one before. */
export const holdRequestSchema = z.strictObject({
  action: signedActionSchema,
  /** ms since 1970. Not `releaseAtMs` of a track, which stands on the chain before. */
  holdUntilMs: z.int().positive(),
})

/** `GET /releases/:hash`, for the account that gave it; `GET /releases` lists all of its own. */
export const heldReleaseSchema = z.object({
  /** Of the action. */
  hash: hashSchema,
  subject: subjectSchema,
  holdUntilMs: z.int(),
  /** When the node took it. */
  heldAtMs: z.int(),
  /** `outdated`: as things stand it would be refused at its time, and is to be signed anew; `sent`: it is on its way to the
   * chain or there, and `GET /actions/:hash` knows more; `refused`: its time came, and nothing was sent. */
  state: z.enum(['waiting', 'outdated', 'sent', 'refused']),
  /** Why it is outdated or was refused; for people. */
  reason: z.string().optional(),
})
export type HeldRelease = z.infer<typeof heldReleaseSchema>

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
