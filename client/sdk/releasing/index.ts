export { holdBack, listReleases, readRelease, withdrawRelease } from './held-releases.ts'
export { type ReleasedFile, type ReleaseFile, type ReleaseOptions, releaseTracks } from './release-tracks.ts'
export { type Scheduled, WrongReleaseTime } from './schedule-track.ts'
export { type AlbumOrder, type ReleasedAlbum, uploadAlbum } from './upload-album.ts'
