export { blockListRoutes } from './block-list-routes.ts'
export { createOfferClient, type OfferClient } from './offer-client.ts'
export { reopenUploads } from './reopen-uploads.ts'
export { type ReplicationOptions, replicateUpload } from './replicate-upload.ts'
