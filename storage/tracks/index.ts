export { blockRoot } from './block-root.ts'
export { bitswapSource, gatewaySource } from './block-sources.ts'
export {
  IncompleteTrack,
  type InspectedTrack,
  inspectTrack,
  loadLocalTrack,
  type TrackBlock,
} from './inspect-track.ts'
export { createNodeRetriever } from './node-retriever.ts'
export { getOrRetrieve, type PulledBlock, pullTrack, TrackTooLarge } from './pull-track.ts'
export { receiptRoutes } from './receipt-routes.ts'
export { type Replication, replicationNow } from './replication.ts'
export { createRootHasher, type RootHasher } from './root-hasher.ts'
export { type TrackVerdict, verifyTrack } from './verify-track.ts'
