export { createScrubStore, type ScrubReport, type ScrubStore, scrubMigrations } from './scrub-store.ts'
export { createScrubber, type Scrubber, type ScrubPace } from './scrubber.ts'
export { type WatchedReads, watchReads } from './watch-reads.ts'
