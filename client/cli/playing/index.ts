export { DecoderError, type Output } from './decoder.ts'
export { type PlayReport, playTrack } from './play-track.ts'
