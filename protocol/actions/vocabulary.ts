// Words that answers share with actions. They need nothing of the rules, which a page that only reads need not load.

/** What can be said of a comment without words; pictures for them are the reader's business. */
export const reactions = ['like', 'love', 'laugh', 'surprise', 'sad', 'fire'] as const
export type ReactionName = (typeof reactions)[number]

/** Why a track should not be held or served. */
export const noticeGrounds = ['copyright', 'court-order', 'illegal', 'impersonation', 'other'] as const

/** Kinds that a delegated key may be let sign. Never those which say who the author is or who may sign for it: `user`
 * holds the handle, `rotate` and `delegate` the keys; nor those that speak to the outside in its name: `app`, `notice`. */
export const delegableKinds = [
  'track',
  'playlist',
  'delete',
  'follow',
  'save',
  'repost',
  'comment',
  'react',
  'pin',
  'mute',
] as const
export type Scope = (typeof delegableKinds)[number]
