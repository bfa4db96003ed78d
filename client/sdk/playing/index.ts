export { type TrackKeys, TrackLocked } from './open-segments.ts'
export { type OpenedTrack, type OpenOptions, openTrack } from './open-track.ts'
export { type PlayedSegment, playSegments, RenditionUnknown, renditionFor } from './play-segments.ts'
export { rehearse } from './rehearse.ts'
