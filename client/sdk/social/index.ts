export { type AppChanges, changeApp, deleteApp, findApp, publishApp } from './apps.ts'
export {
  comment,
  deleteComment,
  findComment,
  type NewComment,
  pinComment,
  react,
  rewordComment,
} from './comments.ts'
export { delegate, delegationNotice, type NewDelegation, revoke } from './delegations.ts'
export { follow, mute, repost, save } from './edges.ts'
export {
  appsOf,
  commentsOn,
  delegationsOf,
  feedOf,
  followedBy,
  followersOf,
  type ListOptions,
  repliesTo,
  repostsOf,
  savesOf,
} from './lists.ts'
export { changeProfile, type ProfileChanges } from './profile.ts'
export type { SocialOptions } from './registers.ts'
export { controllerOf, type NewKeys, rotate, rotationNotice } from './rotate.ts'
