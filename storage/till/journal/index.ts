export { frameOf, readFrames } from './frames.ts'
export { type Journal, JournalForeign, JournalFull, openJournal } from './journal.ts'
