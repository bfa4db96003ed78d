export { scrobble } from './scrobble.ts'
