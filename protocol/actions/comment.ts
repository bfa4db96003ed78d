import * as z from 'zod'
import { authorOf, hashSchema, numberOf, type Subject, subjectSchema, userNumber } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { isMuted, muteKey } from './mute.ts'
import { changeSubject, livingSubject, type RuleInput, reject, subjectKey, type Verdict } from './rule.ts'
import { longText } from './text.ts'

export const commentContentSchema = z.strictObject({
  prev: hashSchema.nullable(),
  /** What the comment is about. */
  track: subjectSchema,
  /** The comment that this one answers, if any; of the same track. */
  replyTo: subjectSchema.optional(),
  text: longText(1000).refine((text) => text.trim() !== '', 'must not be empty'),
  /** The moment of the track that it is about. */
  positionMs: z.int().nonnegative().optional(),
})
export type CommentContent = z.infer<typeof commentContentSchema>

/** As the rule leaves it in the state. A deleted comment keeps all but `text` and `positionMs`. */
export type CommentBody = Omit<CommentContent, 'prev'> & {
  /** The comment at which the thread begins; absent for that one itself. */
  readonly root?: Subject
}

/** Comments on a track, answers a comment, or rewords one of the author's own. Threads are flat: an answer to an answer
 * belongs to the same thread and remembers whom it answers. Users that the track's author has muted cannot comment. */
export const commentKind: Kind<CommentContent> = {
  number: 10,
  schema: commentContentSchema,
  reads: ({ track, replyTo }, { author }) => [
    subjectKey(track),
    muteKey(authorOf(track), author),
    ...(replyTo === undefined ? [] : [subjectKey(replyTo)]),
  ],
  rule(input) {
    const { action, before, content, view } = input
    if (numberOf(action.subject) === userNumber || (before && before.kind !== 'comment')) {
      return reject('wrongSubject', 'this number is not free for a comment')
    }
    if (livingSubject(view, content.track)?.kind !== 'track') {
      return reject('notFound', `there is no track ${content.track}`)
    }
    if (isMuted(view, authorOf(content.track), action.author)) {
      return reject('muted', 'the author of the track has muted this user')
    }
    const { prev: _, ...body } = content
    if (before) {
      if (before.body.track !== content.track || before.body.replyTo !== content.replyTo) {
        return reject('wrongSubject', 'a comment stays where it was written')
      }
      return {
        verdict: 'applied',
        changes: [changeSubject(input, 'comment', { ...body, root: before.body.root })],
      }
    }
    const thread = threadOf(input)
    if ('verdict' in thread) return thread
    return { verdict: 'applied', changes: [changeSubject(input, 'comment', { ...body, ...thread })] }
  },
}

function threadOf({ view, content }: RuleInput<CommentContent>): Verdict | { root?: Subject } {
  const { replyTo, track } = content
  if (replyTo === undefined) return {}
  const answered = livingSubject(view, replyTo)
  if (answered?.kind !== 'comment' || answered.body.track !== track) {
    return reject('notFound', `there is no comment ${replyTo} on this track`)
  }
  return { root: (answered.body.root as Subject | undefined) ?? replyTo }
}
