export { keepManifests } from './keep-manifests.ts'
export { noteAllManifests, noteManifests } from './note-manifests.ts'
export type { KeptCover } from './read-manifests.ts'
