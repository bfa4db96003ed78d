export { actedFragment, actionHash, decodeActed } from './acted-log.ts'
export {
  type Action,
  ActionError,
  actData,
  actFragment,
  actionLifeSeconds,
  openAction,
  signAction,
} from './action.ts'
export type { AppContent } from './app.ts'
export { applyAction, keysRead, keysReadBefore, type ReadAction, readAction } from './apply-action.ts'
export type { CommentBody, CommentContent } from './comment.ts'
export {
  type DelegateContent,
  type Delegation,
  delegationInForce,
  delegationKey,
  longestDelegationMs,
} from './delegate.ts'
export { followKey } from './follow.ts'
export { type KindName, kinds } from './kinds.ts'
export { isMuted, muteKey } from './mute.ts'
export type { NoticeContent } from './notice.ts'
export { type Pin, pinKey } from './pin.ts'
export { maximumPlaylistTracks, type PlaylistContent } from './playlist.ts'
export { namesPerAction, playlistSteps } from './playlist-steps.ts'
export { type Reaction, reactionKey } from './react.ts'
export { clockToleranceMs, type Edge, type Register } from './register.ts'
export { repostKey } from './repost.ts'
export {
  type Change,
  handleKey,
  type Identity,
  identityKey,
  identityOf,
  identitySinceMs,
  type Place,
  type SubjectState,
  subjectKey,
  type Verdict,
  type VerdictName,
  type View,
  verdictCodes,
} from './rule.ts'
export { saveKey } from './save.ts'
export { maximumRecipients, type Sealed, sealedSchema, sealingKeySchema } from './sealed.ts'
export { maximumContentBytes, type SignedAction, signedActionSchema } from './signed-action.ts'
export type { TrackContent } from './track.ts'
export { handleSchema, type UserContent } from './user.ts'
export {
  checkRulesTable,
  type RulesTable,
  RulesTableError,
  rulesVersion,
  rulesVersionAt,
} from './versions.ts'
export { delegableKinds, noticeGrounds, type ReactionName, reactions, type Scope } from './vocabulary.ts'
