export { type OpenedTrack, type OpenOptions, openTrack } from './open-track.ts'
export { type PlayedSegment, playSegments, RenditionUnknown, renditionFor } from './play-segments.ts'
