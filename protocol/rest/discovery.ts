import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import { addressSchema, hashSchema, subjectSchema } from '../names/index.ts'

/** Where on the chain an entity's last accepted action stands, so that anyone can check the answer. */
const placeSchema = z.object({ block: z.int(), logIndex: z.int(), digest: hashSchema })

const holderSchema = z.object({ operator: addressSchema, endpoint: z.url() })
/** An operator that signed for holding a track, and where its gateway is now. */
export type Holder = z.infer<typeof holderSchema>

/** `GET /v1/tracks/:id`; times in ms, sizes in bytes. */
export const trackSchema = z.object({
  id: subjectSchema,
  author: addressSchema,
  authorHandle: z.string().nullable(),
  title: z.string(),
  artist: z.string(),
  album: z.string().nullable(),
  genre: z.string().nullable(),
  mood: z.string().nullable(),
  tags: z.array(z.string()),
  description: z.string().nullable(),
  isrc: z.string().nullable(),
  licence: z.string(),
  unlisted: z.boolean(),
  durationMs: z.int(),
  manifest: cidSchema,
  storageRoot: hashSchema,
  leafCount: z.int(),
  byteLength: z.int(),
  holders: z.array(holderSchema),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  last: placeSchema,
})
export type Track = z.infer<typeof trackSchema>

/** `GET /v1/users/:id` */
export const userSchema = z.object({
  id: addressSchema,
  handle: z.string().nullable(),
  name: z.string().nullable(),
  bio: z.string().nullable(),
  links: z.array(z.string()),
  picture: cidSchema.nullable(),
  controller: addressSchema,
  trackCount: z.int(),
  createdAtMs: z.int().nullable(),
  updatedAtMs: z.int().nullable(),
  last: placeSchema.nullable(),
})
export type User = z.infer<typeof userSchema>

/** `GET /v1/playlists/:id`; tracks that were deleted are left out of `tracks`. */
export const playlistSchema = z.object({
  id: subjectSchema,
  author: addressSchema,
  title: z.string(),
  description: z.string().nullable(),
  album: z.boolean(),
  unlisted: z.boolean(),
  trackIds: z.array(subjectSchema),
  tracks: z.array(trackSchema),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  last: placeSchema,
})
export type Playlist = z.infer<typeof playlistSchema>

/** `GET /v1/operators` */
export const operatorAnswerSchema = z.object({
  operator: addressSchema,
  controller: addressSchema,
  endpoint: z.string(),
  hotKey: addressSchema,
  capacityBytes: z.string(),
  stakeWei: z.string(),
  active: z.boolean(),
})
export type OperatorAnswer = z.infer<typeof operatorAnswerSchema>

/** `GET /v1/search?q=` */
export const searchAnswerSchema = z.object({
  tracks: z.array(trackSchema),
  users: z.array(userSchema),
  playlists: z.array(playlistSchema.omit({ tracks: true })),
})
export type SearchAnswer = z.infer<typeof searchAnswerSchema>

/** `GET /v1/resolve?handle=` or `?url=` */
export const resolutionSchema = z.object({
  kind: z.enum(['user', 'track', 'playlist']),
  id: z.string(),
})
export type Resolution = z.infer<typeof resolutionSchema>

/** `GET /actions/:hash` at a creator node, `GET /v1/actions/:hash` at a discovery provider. */
export const actionStatusSchema = z.object({
  hash: hashSchema,
  /** pending: not on the chain yet; mined: on the chain, not indexed yet. */
  status: z.enum(['pending', 'mined', 'applied', 'rejected']),
  /** Name of the verdict when rejected, such as `missingReceipts`; or `neverMined`. */
  verdict: z.string().optional(),
  reason: z.string().optional(),
  subject: subjectSchema.optional(),
  transaction: hashSchema.optional(),
  block: z.int().optional(),
  logIndex: z.int().optional(),
  /** Whether no reorganisation can take it back any more; only discovery says so. */
  final: z.boolean().optional(),
})
export type ActionStatus = z.infer<typeof actionStatusSchema>

/** `GET /status` of a discovery provider. */
export const discoveryStatusSchema = z.looseObject({
  service: z.literal('discovery-provider'),
  version: z.string(),
  chainId: z.int(),
  catalog: z.string(),
  /** Heads: of the chain, of what is indexed, of what is final. */
  head: z.int(),
  indexed: z.int(),
  finalized: z.int(),
  lagBlocks: z.int(),
  rulesVersion: z.int(),
  /** State hash after the last indexed block that had logs. */
  stateHash: hashSchema,
  stateHashBlock: z.int(),
})
export type DiscoveryStatus = z.infer<typeof discoveryStatusSchema>
