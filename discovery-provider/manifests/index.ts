export { keepManifests } from './keep-manifests.ts'
export { type KeptAudio, renditionUpTo } from './kept-audio.ts'
export { noteAllManifests, noteManifests } from './note-manifests.ts'
export type { KeptCover } from './read-manifests.ts'
