import * as z from 'zod'
import { cidSchema } from '../cids/index.ts'
import { hashSchema, numberOf, userNumber } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, reject } from './rule.ts'
import { httpsAddress, lineText, longText } from './text.ts'

export const appContentSchema = z.strictObject({
  prev: hashSchema.nullable(),
  name: lineText(60),
  description: longText(500).optional(),
  url: httpsAddress.optional(),
  picture: cidSchema.optional(),
})
export type AppContent = z.infer<typeof appContentSchema>

/** Says what a program is that asks users for a delegated key: so that they see later whose key it is that they let in.
 * It gives the program no right to anything. `delete` takes it back, and lets no new key in under its name. */
export const appKind: Kind<AppContent> = {
  number: 14,
  schema: appContentSchema,
  reads: () => [],
  rule(input) {
    const { action, before, content } = input
    if (numberOf(action.subject) === userNumber || (before && before.kind !== 'app')) {
      return reject('wrongSubject', 'this number is not free for an app')
    }
    const { prev: _, ...body } = content
    return { verdict: 'applied', changes: [changeSubject(input, 'app', body)] }
  },
}
