export { createListenBrainz } from './handler.ts'
