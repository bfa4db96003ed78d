export { type KeyStore, keyStore } from './key-store.ts'
export { readSettings, type Settings, UsageError } from './settings.ts'
export { type FileMemory, fileUploadMemory } from './upload-memory.ts'
