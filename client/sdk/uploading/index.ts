export { followUpload } from './follow-upload.ts'
export {
  type Progress,
  UploadFailed,
  type UploadMemory,
  type UploadSource,
  uploadTrack,
} from './upload-track.ts'
