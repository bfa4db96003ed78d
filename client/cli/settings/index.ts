export { type KeyStore, keyStore } from './key-store.ts'
export { readSettings, type Settings, UsageError } from './settings.ts'
export { fileUploadMemory } from './upload-memory.ts'
