export {
  type AppPasswordMade,
  createAppPassword,
  listAppPasswords,
  revokeAppPassword,
} from './app-passwords.ts'
export { allowPlayerWrites, forbidPlayerWrites, type PlayerWritesAllowed } from './player-writes.ts'
export { type Listen, type ListenBrainz, listenOf, listensPerRequest, submitListens } from './scrobbling.ts'
