import * as z from 'zod'
import { hashSchema, numberOf, subjectSchema, userNumber } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, reject } from './rule.ts'
import { lineText, longText } from './text.ts'
import { noticeGrounds } from './vocabulary.ts'

export const noticeContentSchema = z.strictObject({
  prev: hashSchema.nullable(),
  /** Names a track, never a segment: other tracks may have the same segments. */
  track: subjectSchema,
  ground: z.enum(noticeGrounds),
  /** What is claimed, for those who decide whether to honour it. */
  statement: longText(2000),
  /** Where its author can be reached. */
  contact: lineText(200).optional(),
})
export type NoticeContent = z.infer<typeof noticeContentSchema>

/** A takedown notice about a track. It changes nothing of the track: each operator and provider chooses whose notices
 * it honours. The track need not exist yet, so that what comes back under the same name is covered, too. A notice may
 * be reworded but not turned against another track; `delete` withdraws it. */
export const noticeKind: Kind<NoticeContent> = {
  number: 6,
  schema: noticeContentSchema,
  reads: () => [],
  rule(input) {
    const { action, before, content } = input
    if (numberOf(action.subject) === userNumber || (before && before.kind !== 'notice')) {
      return reject('wrongSubject', 'this number is not free for a notice')
    }
    const { prev: _, ...body } = content
    if (before && before.body.track !== body.track) {
      return reject('wrongSubject', `this notice is about ${before.body.track}: write another one`)
    }
    return { verdict: 'applied', changes: [changeSubject(input, 'notice', body)] }
  },
}
