export { archiveRoutes } from './archive-routes.ts'
export { archiveMigrations } from './archive-store.ts'
export { type ArchiveKeeper, type KeepArchivesOptions, keepArchives } from './keep-archives.ts'
