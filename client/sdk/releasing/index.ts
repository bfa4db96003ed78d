export { type ReleasedFile, type ReleaseFile, type ReleaseOptions, releaseTracks } from './release-tracks.ts'
export { type AlbumOrder, type ReleasedAlbum, uploadAlbum } from './upload-album.ts'
