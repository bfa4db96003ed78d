export {
  type AdmitOptions,
  checkOpen,
  leastSpentBytes,
  type OpenSecret,
  spentBytes,
  type UploadLimits,
} from './admit-upload.ts'
export { cancelUpload } from './cancel-upload.ts'
export { createUploadChanges, type UploadChanges } from './changes.ts'
export { uploadReadRoutes } from './event-routes.ts'
export { freeBytes, isDiskFull } from './free-space.ts'
export { publishedPremium } from './published-premium.ts'
export { openSourceFiles, type SourceFiles } from './source-files.ts'
export { hasEnded, isBeingProcessed, type UploadEvent, type UploadState, WrongState } from './states.ts'
export { type TermsOptions, termsRoutes, uploadTerms } from './terms.ts'
export { finishReceiving, noSuchUpload, type TusRoutesOptions, tusRoutes } from './tus-routes.ts'
export {
  answerOf,
  type MadeRendition,
  type Upload,
  type UploadRendition,
  type UploadReplica,
} from './upload.ts'
export {
  createUploadStore,
  type QueuedUpload,
  type UploadBlock,
  type UploadChange,
  type UploadStore,
  uploadMigrations,
} from './upload-store.ts'
