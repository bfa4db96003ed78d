export { type Decoder, startDecoder } from './decoder.ts'
export { type PlayReport, playTrack } from './play-track.ts'
