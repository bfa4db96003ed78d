export {
  openPrivatePlaylist,
  type PrivatePlaylist,
  privatePlaylistNotice,
  writePrivatePlaylist,
} from './private-playlist.ts'
export { openSealed, SealError, type SealingKey, seal, sealingKeyOf } from './seal.ts'
