export { blockRoot } from './block-root.ts'
export { bitswapSource, gatewaySource } from './block-sources.ts'
export { fetchFromHolders } from './fetch-from-holders.ts'
export { otherHolders } from './holders.ts'
export {
  IncompleteTrack,
  type InspectedTrack,
  inspectTrack,
  isTrackFault,
  loadLocalTrack,
  type TrackBlock,
} from './inspect-track.ts'
export { createNodeRetriever } from './node-retriever.ts'
export { getOrRetrieve, type PulledBlock, pullTrack, TrackTooLarge } from './pull-track.ts'
export { receiptRoutes } from './receipt-routes.ts'
export { type Replication, replicationNow } from './replication.ts'
export { createRootHasher, type RootHasher } from './root-hasher.ts'
export { createServedTracks } from './served-tracks.ts'
export { type TrackVerdict, verifyTrack } from './verify-track.ts'
