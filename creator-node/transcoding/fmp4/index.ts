export { Fmp4Error } from './boxes.ts'
export { type InitSection, readInitSection, readMovie } from './init-section.ts'
export { segmentTicks } from './media-segment.ts'
