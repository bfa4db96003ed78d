import type * as z from 'zod'
import type { Action } from './action.ts'
import { appKind } from './app.ts'
import { commentKind } from './comment.ts'
import { delegateKind } from './delegate.ts'
import { deleteKind } from './delete.ts'
import { followKind } from './follow.ts'
import { muteKind } from './mute.ts'
import { noticeKind } from './notice.ts'
import { pinKind } from './pin.ts'
import { firstPlaylistKind, playlistKind } from './playlist.ts'
import { reactKind } from './react.ts'
import { repostKind } from './repost.ts'
import { firstRotateKind, rotateKind } from './rotate.ts'
import type { RuleInput, SubjectState, Verdict } from './rule.ts'
import { saveKind } from './save.ts'
import { firstTrackKind, trackKind } from './track.ts'
import { firstUserKind, userKind } from './user.ts'

/** One kind of action: its number on the chain, the form of its content, what it may read, and its rule. */
export type Kind<Content = never> = {
  readonly number: number
  readonly schema: z.ZodType<Content>
  /** For kinds whose content has `atMs` in place of `prev`: key of the register that the action sets (`register.ts`). */
  readonly register?: (content: Content, action: Pick<Action, 'author' | 'subject'>) => string
  /** Keys beyond those of subject, identity, delegation and register that the rule reads or changes. */
  readonly reads: (content: Content, action: Pick<Action, 'author' | 'subject'>) => readonly string[]
  /** Further ones that only the subject as it is names. */
  readonly readsBefore?: (before: SubjectState) => readonly string[]
  /** Pure: the same input gives the same verdict on every machine and for ever. */
  readonly rule: (input: RuleInput<Content>) => Verdict
}

/** Every kind, by the newest rules. */
export const kinds = {
  user: userKind,
  track: trackKind,
  playlist: playlistKind,
  rotate: rotateKind,
  delete: deleteKind,
  notice: noticeKind,
  follow: followKind,
  save: saveKind,
  repost: repostKind,
  comment: commentKind,
  react: reactKind,
  pin: pinKind,
  mute: muteKind,
  app: appKind,
  delegate: delegateKind,
}
export type KindName = keyof typeof kinds

/** Kinds by version of the rules; the last one is the newest. A kind that a version does not have is rejected for ever
 * by it. What has been in force anywhere is never changed: what is new comes as a version of its own. A version takes
 * all contents that the one before took, and reads the same keys for them. */
export const kindsByVersion = [
  {
    user: firstUserKind,
    track: firstTrackKind,
    playlist: firstPlaylistKind,
    rotate: firstRotateKind,
    delete: deleteKind,
    notice: noticeKind,
  },
  kinds,
] as const
