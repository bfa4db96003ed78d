export { type ServedFile, sendFile } from './send-file.ts'
