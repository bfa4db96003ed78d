export { audioFileOf, audioFileType, type FileBlock, type FilePart, usualRendition } from './audio-file.ts'
export {
  blocksOf,
  decodeManifest,
  decodeOriginalList,
  decodeRendition,
  encodeManifest,
  encodeOriginalList,
  encodeRendition,
  type LoadedRendition,
  type LoadedTrack,
  loadTrack,
  type Manifest,
  ManifestError,
  maximumFingerprintBytes,
  maximumKeyHolders,
  nominalKbits,
  type Picture,
  type Rendition,
  renditionName,
  type Segment,
} from './manifest.ts'
export { type LoadedOriginal, type Original, type OriginalList, originalFilename } from './original.ts'
