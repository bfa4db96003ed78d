export { changeTrack, type TrackChanges } from './change-track.ts'
export { type Notice, noticePublicity, publishNotice, withdrawNotice } from './notices.ts'
export { currentPlaylist } from './playlist-actions.ts'
export { changePlaylist, createPlaylist, type PlaylistChanges } from './playlists.ts'
export { type AlbumDetails, albumSteps, publishAlbum } from './publish-album.ts'
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
