export { blockRoot } from './block-root.ts'
export {
  IncompleteTrack,
  type InspectedTrack,
  inspectTrack,
  loadLocalTrack,
  type TrackBlock,
} from './inspect-track.ts'
export { receiptRoutes } from './receipt-routes.ts'
