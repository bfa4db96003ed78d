export { createScrubStore, type ScrubReport, type ScrubStore, scrubMigrations } from './scrub-store.ts'
export { createScrubber, type Scrubber, type ScrubPace } from './scrubber.ts'
