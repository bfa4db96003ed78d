export { type MasterUris, masterPlaylist, variantOrder } from './master.ts'
export { type MediaUris, mediaPlaylist, segmentFilename } from './media.ts'
export { PlaylistError } from './uris.ts'

/** Media type of master and media playlists (RFC 8216 4). */
export const playlistMediaType = 'application/vnd.apple.mpegurl'
/** Media type of segments and initialization sections: audio in fragmented MP4. */
export const segmentMediaType = 'audio/mp4'
