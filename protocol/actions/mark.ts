import * as z from 'zod'
import { type Address, type Subject, subjectSchema } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { checkOwnSubject, clockMs, setEdge } from './register.ts'
import { reject, type SubjectState, subjectKey } from './rule.ts'

export const markContentSchema = z.strictObject({
  /** A track or a public playlist, of anyone. */
  target: subjectSchema,
  /** Whether the mark is there from now on. */
  on: z.boolean(),
  atMs: clockMs,
})
export type MarkContent = z.infer<typeof markContentSchema>

/** A kind by which an author marks tracks and playlists: saves and reposts have the same rule. A mark can only be set on
 * what is there, and always be taken back. */
export function markKind(
  number: number,
  keyOf: (author: Address, target: Subject) => string,
): Kind<MarkContent> {
  return {
    number,
    schema: markContentSchema,
    register: ({ target }, { author }) => keyOf(author, target),
    reads: ({ target }) => [subjectKey(target)],
    rule(input) {
      const { action, content, view } = input
      const refusal = checkOwnSubject(input)
      if (refusal) return refusal
      if (content.on) {
        const target = view.get(subjectKey(content.target)) as SubjectState | undefined | null
        if (!target || (target.kind !== 'track' && target.kind !== 'playlist')) {
          return reject('notFound', `there is no track or playlist ${content.target}`)
        }
        if (target.deleted) return reject('deleted', `${content.target} was deleted`)
        if (target.body.sealed !== undefined)
          return reject('wrongSubject', 'a private playlist is its author’s alone')
      }
      return setEdge(input, keyOf(action.author, content.target))
    },
  }
}
