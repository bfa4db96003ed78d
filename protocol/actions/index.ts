export {
  type Action,
  ActionError,
  actData,
  actedFragment,
  actFragment,
  actionHash,
  actionLifeSeconds,
  decodeActed,
  maximumContentBytes,
  openAction,
  type SignedAction,
  signAction,
  signedActionSchema,
} from './action.ts'
export { applyAction, keysRead } from './apply-action.ts'
export { type KindName, kinds, rulesVersion } from './kinds.ts'
export { type NoticeContent, noticeGrounds } from './notice.ts'
export type { PlaylistContent } from './playlist.ts'
export {
  type Change,
  handleKey,
  type Identity,
  identityKey,
  identityOf,
  type Place,
  type SubjectState,
  subjectKey,
  type Verdict,
  type VerdictName,
  type View,
  verdictCodes,
} from './rule.ts'
export type { TrackContent } from './track.ts'
export { handleSchema, type UserContent } from './user.ts'
