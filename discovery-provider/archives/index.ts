export { type ArchivePolicy, ArchivesNeeded, startFromArchives } from './start-from-archives.ts'
