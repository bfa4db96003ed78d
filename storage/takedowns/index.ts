export { type Denylist, DenylistError, type DenylistPart, denylistLines, parseDenylist } from './denylist.ts'
export { denylistRoutes } from './denylist-routes.ts'
export { openTakedowns } from './open-takedowns.ts'
export type { OwnDenylist } from './own-denylist.ts'
export { takedownMigrations } from './takedown-store.ts'
export {
  explain,
  type HonouredNotice,
  type Takedown,
  type TakedownCounts,
  type Takedowns,
  takenDown,
} from './takedowns.ts'
