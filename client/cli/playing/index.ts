export { DecoderError, type Output } from './decoder.ts'
export { createMeter, type Meter } from './meter.ts'
export { type PlayReport, playTrack } from './play-track.ts'
