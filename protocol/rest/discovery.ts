import * as z from 'zod'
import { sealedSchema, sealingKeySchema } from '../actions/sealed.ts'
import { delegableKinds, noticeGrounds, reactions } from '../actions/vocabulary.ts'
import { cidSchema } from '../cids/index.ts'
import { addressSchema, hashSchema, subjectSchema } from '../names/index.ts'
import { termsInForceSchema } from './income.ts'

/** Where on the chain an entity's last accepted action stands, so that anyone can check the answer. */
const placeSchema = z.object({ block: z.int(), logIndex: z.int(), digest: hashSchema })

const holderSchema = z.object({ operator: addressSchema, endpoint: z.url() })
/** An operator that signed for holding a track, and where its gateway is now. */
export type Holder = z.infer<typeof holderSchema>

/** A track as lists have it; times in ms, sizes in bytes. */
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
  /** Until then it is kept out of lists and is not played; what stands here is public all the same. */
  releaseAtMs: z.int().nullable(),
  /** What it is made of, with the words by which each is credited. */
  remixOf: z.array(z.object({ track: subjectSchema, credit: z.string() })),
  /** The track of which it is one part. */
  stemOf: z.object({ track: subjectSchema, part: z.string() }).nullable(),
  credits: z.array(z.object({ name: z.string(), role: z.string(), user: addressSchema.optional() })),
  /** Whether its audio is encrypted, so that it plays by nothing but its playlist with keys; null while no holder has told
   * what its manifest says. No action says it: it is an observation. */
  premium: z.boolean().nullable().default(null),
  /** Whether it costs something now. */
  priced: z.boolean().default(false),
  saveCount: z.int(),
  repostCount: z.int(),
  /** Of all that were not deleted, also by whom the author has muted: counts know nothing of mutes. */
  commentCount: z.int(),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  last: placeSchema,
})
export type Track = z.infer<typeof trackSchema>

/** `GET /v1/tracks/:id` */
export const pricedTrackSchema = trackSchema.extend({
  /** Null for a track that nobody put a price on: it is free, as it is at a price of zero. Providers of before payments
   * say nothing, which is the same. */
  terms: termsInForceSchema.nullable().default(null),
})
export type PricedTrack = z.infer<typeof pricedTrackSchema>

/** `GET /v1/tracks/trending`: by which strategy it is ranked, and over which time. */
export const trendingSchema = z.object({
  strategy: z.string(),
  list: z.string(),
  items: z.array(trackSchema),
  next: z.string().nullable(),
})
export type Trending = z.infer<typeof trendingSchema>

/** `GET /v1/charts`: the first places of a list, from 1. */
export const chartSchema = z.object({
  strategy: z.string(),
  list: z.string(),
  items: z.array(z.object({ place: z.int(), score: z.number(), track: trackSchema })),
})
export type Chart = z.infer<typeof chartSchema>

/** `GET /v1/users/:id` */
export const userSchema = z.object({
  id: addressSchema,
  handle: z.string().nullable(),
  name: z.string().nullable(),
  bio: z.string().nullable(),
  links: z.array(z.string()),
  picture: cidSchema.nullable(),
  /** By which content is sealed to this user. */
  sealingKey: sealingKeySchema.nullable(),
  controller: addressSchema,
  trackCount: z.int(),
  followerCount: z.int(),
  followingCount: z.int(),
  createdAtMs: z.int().nullable(),
  updatedAtMs: z.int().nullable(),
  last: placeSchema.nullable(),
})
export type User = z.infer<typeof userSchema>

/** `GET /v1/playlists/:id`; tracks that were deleted, or are taken down by this provider, that are not out yet, or that
 * another author has left out of lists, are left out of `tracks`. */
export const playlistSchema = z.object({
  id: subjectSchema,
  author: addressSchema,
  title: z.string(),
  description: z.string().nullable(),
  album: z.boolean(),
  unlisted: z.boolean(),
  trackIds: z.array(subjectSchema),
  tracks: z.array(trackSchema),
  cover: cidSchema.nullable(),
  /** All that a private playlist says; the rest is empty then. */
  sealed: sealedSchema.nullable(),
  saveCount: z.int(),
  repostCount: z.int(),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  last: placeSchema,
})
export type Playlist = z.infer<typeof playlistSchema>

/** A playlist where it stands in a list. */
export const playlistSummarySchema = playlistSchema.omit({ tracks: true })
export type PlaylistSummary = z.infer<typeof playlistSummarySchema>

/** `GET /v1/users/:id/followers` and `/following`: who, and since when. */
export const followSchema = z.object({ user: userSchema, sinceMs: z.int() })
export type Follow = z.infer<typeof followSchema>

const trackOrPlaylist = { track: trackSchema.nullable(), playlist: playlistSummarySchema.nullable() }

/** `GET /v1/users/:id/saves` and `/reposts`: one of the two, and since when. */
export const markSchema = z.object({ sinceMs: z.int(), ...trackOrPlaylist })
export type Mark = z.infer<typeof markSchema>

/** `GET /v1/users/:id/feed`: what someone who is followed has published or reposted. */
export const feedEntrySchema = z.object({
  by: addressSchema,
  event: z.enum(['published', 'reposted']),
  atMs: z.int(),
  ...trackOrPlaylist,
})
export type FeedEntry = z.infer<typeof feedEntrySchema>

/** `GET /v1/comments/:id` */
export const commentSchema = z.object({
  id: subjectSchema,
  author: addressSchema,
  authorHandle: z.string().nullable(),
  track: subjectSchema,
  /** The comment that begins the thread; null for that one itself. */
  root: subjectSchema.nullable(),
  replyTo: subjectSchema.nullable(),
  /** Null once it is deleted, and for as long as the track's author mutes who wrote it. */
  text: z.string().nullable(),
  positionMs: z.int().nullable(),
  deleted: z.boolean(),
  /** Whether the track's author mutes who wrote it: no list has it then, nor a thread that it begins. Providers of before
   * 2 December 2026 do not say. */
  muted: z.boolean().optional(),
  /** By the track's author. */
  pinned: z.boolean(),
  /** In its thread, also by whom the track's author has muted. */
  replyCount: z.int(),
  reactions: z.partialRecord(z.enum(reactions), z.int()),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  last: placeSchema,
})
export type Comment = z.infer<typeof commentSchema>

/** `GET /v1/apps/:id` */
export const appSchema = z.object({
  id: subjectSchema,
  author: addressSchema,
  name: z.string(),
  description: z.string().nullable(),
  url: z.string().nullable(),
  picture: cidSchema.nullable(),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  last: placeSchema,
})
export type App = z.infer<typeof appSchema>

/** `GET /v1/users/:id/delegations`: keys that were let sign for the user and are not revoked. */
export const delegationSchema = z.object({
  key: addressSchema,
  scopes: z.array(z.enum(delegableKinds)),
  expiresAtMs: z.int(),
  app: subjectSchema.nullable(),
  appName: z.string().nullable(),
  /** Neither expired nor ended by a rotation. */
  inForce: z.boolean(),
  setAtMs: z.int(),
  last: placeSchema,
})
export type DelegationAnswer = z.infer<typeof delegationSchema>

/** `GET /v1/notices`: a claim that a track should not be held or served. It says nothing about whether the claim is right. */
export const noticeSchema = z.object({
  id: subjectSchema,
  author: addressSchema,
  /** Whether or not there is such a track. */
  track: subjectSchema,
  ground: z.enum(noticeGrounds),
  statement: z.string(),
  contact: z.string().nullable(),
  /** Whether this provider honours its author's notices: then it does not show the track. */
  honoured: z.boolean(),
  createdAtMs: z.int(),
  updatedAtMs: z.int(),
  last: placeSchema,
})
export type Notice = z.infer<typeof noticeSchema>

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
  playlists: z.array(playlistSummarySchema),
  /** Lower-case, without accents and signs. Providers of before 29 November 2026 give none. */
  tags: z.array(z.string()).default([]),
})
export type SearchAnswer = z.infer<typeof searchAnswerSchema>

/** `GET /v1/search/suggest?q=`; the id of a tag is the tag. */
export const suggestionsSchema = z.object({
  items: z.array(
    z.object({ kind: z.enum(['track', 'user', 'playlist', 'tag']), id: z.string(), text: z.string() }),
  ),
})
export type Suggestion = z.infer<typeof suggestionsSchema>['items'][number]

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

/** `GET /v1/blocks/:number`: what the catalogue amounted to after a block, for comparing providers. */
export const blockAnswerSchema = z.object({
  number: z.int(),
  /** Hash of the block; null when it is not kept, as of final blocks without logs. */
  hash: hashSchema.nullable(),
  stateHash: hashSchema,
  /** The last block up to this one that had logs; null before the first. */
  stateHashBlock: z.int().nullable(),
  /** In force at this block. */
  rulesVersion: z.int(),
  final: z.boolean(),
})
export type BlockAnswer = z.infer<typeof blockAnswerSchema>

/** Another provider of the network, as compared with this one. */
const peerStatusSchema = z.object({
  /** Its origin. */
  peer: z.string(),
  outcome: z.enum(['agrees', 'diverges', 'unknown']),
  /** The newest block after which both had the same state hash. */
  agreedBlock: z.int().nullable(),
  /** The first block after which they had not. */
  divergesFrom: z.int().nullable(),
  /** Why it is unknown. */
  reason: z.string().nullable(),
  checkedAtMs: z.int().nullable(),
})
export type PeerStatus = z.infer<typeof peerStatusSchema>

/** Tables that are being made anew while the old ones are read. */
const rebuildSchema = z.object({
  tables: z.array(z.string()),
  step: z.string(),
  /** Rows that the step has read, and about how many it will; null where nobody has counted. */
  done: z.int(),
  total: z.int().nullable(),
  startedAtMs: z.int(),
})

/** Where listeners pay, as the network file says. */
export const paymentContractsSchema = z.object({
  streamEscrow: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  trackRegistry: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  token: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
})

/** `GET /status` of a discovery provider. */
export const discoveryStatusSchema = z.looseObject({
  service: z.literal('discovery-provider'),
  version: z.string(),
  chainId: z.int(),
  catalog: z.string(),
  /** Null where all music is free. Providers of before 29 November 2026 do not say. */
  payments: paymentContractsSchema.nullish(),
  /** Heads: of the chain, of what is indexed, of what is final. */
  head: z.int(),
  /** When the chain last told this process of its head: a lag can be believed as far as this is recent. Null before it
   * has; providers of before 2 December 2026 do not say. */
  headSeenAtMs: z.int().nullish(),
  indexed: z.int(),
  finalized: z.int(),
  lagBlocks: z.int(),
  rulesVersion: z.int(),
  /** State hash after the last indexed block that had logs. */
  stateHash: hashSchema,
  stateHashBlock: z.int(),
  rebuild: rebuildSchema.nullable().optional(),
  /** Those that the operator has named. */
  peers: z.array(peerStatusSchema).optional(),
})
export type DiscoveryStatus = z.infer<typeof discoveryStatusSchema>

/** `POST /v1/app-passwords`: what a player is told. The password is shown this once. */
export const newAppPasswordSchema = z.object({
  id: z.string(),
  /** Handle or address. */
  username: z.string(),
  password: z.string(),
})
export type NewAppPassword = z.infer<typeof newAppPasswordSchema>

/** `GET /v1/app-passwords` */
export const appPasswordSchema = z.object({
  id: z.string(),
  device: z.string(),
  createdAtMs: z.int(),
  /** A day such as `2026-11-28`, UTC; finer is not kept. */
  lastUsedDay: z.string().nullable(),
})
export type AppPassword = z.infer<typeof appPasswordSchema>

/** `DELETE /v1/app-passwords/:id` */
export const revokedAppPasswordSchema = z.object({ id: z.string(), revoked: z.literal(true) })

/** `GET /v1/writing-key`: whom an account lets sign when it lets its players write at this provider. */
export const writingKeySchema = z.object({
  key: addressSchema,
  /** What the key has to be let sign. */
  scopes: z.array(z.enum(delegableKinds)),
  /** What it may sign now. */
  allowed: z.array(z.enum(delegableKinds)),
})
export type WritingKey = z.infer<typeof writingKeySchema>

/** `GET /v1/tracks/:id/alike`: a track that sounds like another one. */
export const alikeSchema = z.object({
  track: subjectSchema,
  title: z.string(),
  artist: z.string(),
  createdAtMs: z.int(),
  /** Of a thousand bits of the fingerprints so many differ: some for another encoding, 150 and more for other music. */
  errorsPerMille: z.int(),
  /** By how much what they have in common comes later in it; negative for earlier. */
  laterByMs: z.int(),
})
export type Alike = z.infer<typeof alikeSchema>
