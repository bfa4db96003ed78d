import type * as z from 'zod'
import { deleteKind } from './delete.ts'
import { noticeKind } from './notice.ts'
import { playlistKind } from './playlist.ts'
import { rotateKind } from './rotate.ts'
import type { RuleInput, SubjectState, Verdict } from './rule.ts'
import { trackKind } from './track.ts'
import { userKind } from './user.ts'

/** One kind of action: its number on the chain, the form of its content, what it may read, and its rule. */
export type Kind<Content = never> = {
  readonly number: number
  readonly schema: z.ZodType<Content>
  /** Keys beyond the subject's and the identity's that the rule reads or changes, given the subject as it is. */
  readonly reads: (content: Content, before: SubjectState | undefined) => readonly string[]
  /** Pure: the same input gives the same verdict on every machine and for ever. */
  readonly rule: (input: RuleInput<Content>) => Verdict
}

/** Every kind of rules version 1. A kind that is not here is rejected for ever under this version. */
export const kinds = {
  user: userKind,
  track: trackKind,
  playlist: playlistKind,
  rotate: rotateKind,
  delete: deleteKind,
  notice: noticeKind,
}
export type KindName = keyof typeof kinds

/** The version of these rules, in force from the first block on; part of the state hash. */
export const rulesVersion = 1
