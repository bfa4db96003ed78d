import * as z from 'zod'
import type { Json } from '../canonical/index.ts'
import { cidSchema } from '../cids/index.ts'
import { hashSchema, userSubject } from '../names/index.ts'
import type { Kind } from './kinds.ts'
import { changeSubject, handleKey, reject } from './rule.ts'
import { sealingKeySchema } from './sealed.ts'
import { httpsAddress, lineText, longText } from './text.ts'

/** A handle is ASCII, so that no two look alike and no locale decides what is lower case. */
export const handleSchema = z.string().regex(/^[a-z0-9_]{1,30}$/, 'must be 1 to 30 of a-z, 0-9 and _')

const firstContentSchema = z.strictObject({
  prev: hashSchema.nullable(),
  handle: handleSchema.optional(),
  name: lineText(100).optional(),
  bio: longText(1000).optional(),
  links: z.array(httpsAddress).max(10).optional(),
  picture: cidSchema.optional(),
})

export const userContentSchema = firstContentSchema.extend({
  /** By which others seal content to this user. */
  sealingKey: sealingKeySchema.optional(),
})
export type UserContent = z.infer<typeof userContentSchema>

/** Sets an author's whole profile. The first to take a handle has it until it is given up. */
export const userKind: Kind<UserContent> = {
  number: 1,
  schema: userContentSchema,
  reads: handleKeysIn,
  readsBefore: ({ body }) => handleKeysIn(body),
  rule(input) {
    const { action, view, before, content } = input
    if (action.subject !== userSubject(action.author)) {
      return reject('wrongSubject', `a profile's subject is ${userSubject(action.author)}`)
    }
    const { prev: _, ...body } = content
    const changes = [changeSubject(input, 'user', body)]
    const oldHandle = before?.body.handle
    if (content.handle !== undefined && content.handle !== oldHandle) {
      const owner = view.get(handleKey(content.handle))
      if (typeof owner === 'string') return reject('handleTaken', `the handle is ${owner}'s`)
      changes.push({ key: handleKey(content.handle), value: action.author })
    }
    if (typeof oldHandle === 'string' && content.handle !== oldHandle) {
      changes.push({ key: handleKey(oldHandle), value: null })
    }
    return { verdict: 'applied', changes }
  },
}

function handleKeysIn({ handle }: { readonly handle?: Json | undefined }): string[] {
  return typeof handle === 'string' ? [handleKey(handle)] : []
}

/** As version 1 of the rules has it. */
export const firstUserKind: Kind<UserContent> = { ...userKind, schema: firstContentSchema }
