export { browserMemory } from './browser-memory.ts'
export { abandonUpload, cancelLeftUploads, cancelUpload } from './cancel-upload.ts'
export { type AskedPremium, checkPremium, NotPremium } from './check-premium.ts'
export { followUpload } from './follow-upload.ts'
export {
  forgetUpload,
  type HeldUpload,
  memoryKey,
  type SavedUpload,
  savedUploadSchema,
  type UploadMemory,
} from './memory.ts'
export {
  type CopyProgress,
  type NodeProgress,
  nodeProgress,
  type Progress,
  type PublishProgress,
  type RenditionProgress,
  type UploadProgress,
} from './progress.ts'
export { type CreatorNode, rankCreators } from './rank-creators.ts'
export { sourceOf, type UploadSource } from './source.ts'
export {
  grantMs,
  type PremiumUploads,
  UploadFailed,
  type UploadTrackOptions,
  uploadTrack,
} from './upload-track.ts'
