export { findMadeTrack, mayBeReused, recipe, reuse } from './find-made-track.ts'
export { takeOver } from './take-over.ts'
