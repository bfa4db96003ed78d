export { followUpload } from './follow-upload.ts'
export { forgetUpload, type SavedUpload, type UploadMemory } from './memory.ts'
export { sourceOf, type UploadSource } from './source.ts'
export { type Progress, UploadFailed, type UploadTrackOptions, uploadTrack } from './upload-track.ts'
