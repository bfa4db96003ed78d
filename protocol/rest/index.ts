export { type List, listOf, type ProblemDetails, problemSchema } from './answers.ts'
export {
  type ActionStatus,
  actionStatusSchema,
  type DiscoveryStatus,
  discoveryStatusSchema,
  type Holder,
  type OperatorAnswer,
  operatorAnswerSchema,
  type Playlist,
  playlistSchema,
  type Resolution,
  resolutionSchema,
  type SearchAnswer,
  searchAnswerSchema,
  type Track,
  trackSchema,
  type User,
  userSchema,
} from './discovery.ts'
export {
  type NodeStatus,
  nodeStatusSchema,
  type Replica,
  type UploadAnswer,
  type UploadMetadata,
  uploadAnswerSchema,
  uploadMetadataSchema,
} from './nodes.ts'
