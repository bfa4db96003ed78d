export { type Notice, noticePublicity, publishNotice, withdrawNotice } from './notices.ts'
export { namesPerStep, type PlaylistStep, playlistSteps } from './playlist-steps.ts'
export { changePlaylist, createPlaylist, type PlaylistChanges } from './playlists.ts'
export { type AlbumDetails, albumContent, currentPlaylist, publishAlbum } from './publish-album.ts'
export {
  contentOf,
  currentTrack,
  type PublishOptions,
  type PublishTrackOptions,
  publishTrack,
} from './publish-track.ts'
export { ReceiptsOutdated, receiptsOutdated } from './receipts-outdated.ts'
export {
  assertPublishable,
  detailsOf,
  publishingNotice,
  saysTheSame,
  type TrackDetails,
} from './track-details.ts'
export { unpublish, unpublishingNotice } from './unpublish.ts'
