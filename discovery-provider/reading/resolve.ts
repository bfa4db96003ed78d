import { Problem } from '@hexachord/platform/http'
import { handleSchema, type SubjectState } from '@hexachord/protocol/actions'
import { checked } from '@hexachord/protocol/checked'
import { type Address, isSubject, parseAddress, type Subject } from '@hexachord/protocol/names'
import { type Resolution, resolutionSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { absence, addressText, type Database } from './entity.ts'
import { route } from './route.ts'
import { readUsers } from './users.ts'

const resolveQuery = z
  .strictObject({
    handle: handleSchema.optional().meta({ examples: ['guido'] }),
    url: z
      .string()
      .max(500)
      .refine((text) => URL.canParse(text), 'must be a whole URL')
      .optional(),
  })
  .refine(({ handle, url }) => (handle === undefined) !== (url === undefined), {
    message: 'give either handle or url',
  })

/** What a URL of any page or API of the network speaks of: the last part of its path (or of the path behind
 * its #) that is a name: a subject, an address in any spelling whose check sum is right, or a handle as `@handle` or after
 * `users`. */
export function nameInUrl(
  text: string,
): { subject: Subject } | { handle: string } | { user: Address } | undefined {
  const url = new URL(text)
  const parts = `${url.pathname}/${url.hash.slice(1)}`.split('/').filter((part) => part !== '')
  for (const [index, part] of [...parts.entries()].reverse()) {
    const word = decoded(part)
    if (isSubject(word)) return { subject: word }
    const address = checked(addressText, word)
    if (address.success) return { user: address.data }
    const handle = word.startsWith('@') ? word.slice(1) : parts[index - 1] === 'users' ? word : undefined
    if (handle !== undefined && checked(handleSchema, handle).success) return { handle }
  }
  return undefined
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (error instanceof URIError) return part
    throw error
  }
}

/** @throws Problem 404 when nothing in the catalogue has the name, 410 when what has it was deleted, or is taken down here */
export async function resolve(
  database: Database,
  { handle, url }: { handle?: string | undefined; url?: string | undefined },
  nowMs: number,
): Promise<Resolution> {
  const name = handle !== undefined ? { handle } : nameInUrl(url ?? '')
  if (name === undefined) throw unknownName('the URL names no track, playlist or user')
  if ('user' in name) {
    const [user] = await readUsers(database, [name.user], nowMs)
    if (user === undefined) throw unknownName(`${name.user} has neither a profile nor anything published`)
    return { kind: 'user', id: user.id }
  }
  if ('handle' in name) {
    const owner = await stateOf(database, `handle/${name.handle}`)
    if (typeof owner !== 'string') throw unknownName(`nobody has the handle ${name.handle}`)
    return { kind: 'user', id: parseAddress(owner) }
  }
  const state = (await stateOf(database, `subject/${name.subject}`)) as SubjectState | undefined
  if (state?.kind === 'user') return { kind: 'user', id: state.author }
  if (state?.kind === 'track' || state?.kind === 'playlist') {
    if (!(await isThere(database, state.kind, name.subject)))
      throw await absence(database, name.subject, state.kind)
    return { kind: state.kind, id: name.subject }
  }
  throw unknownName(`there is no track or playlist under ${name.subject}`)
}

/** Neither deleted, nor taken down here. */
async function isThere(database: Database, kind: 'track' | 'playlist', id: Subject): Promise<boolean> {
  const { rows } = await database.query(`SELECT FROM ${kind} WHERE id = $1`, [id])
  return rows.length > 0
}

async function stateOf(database: Database, key: string): Promise<unknown> {
  const { rows } = await database.query<{ value: unknown }>('SELECT value FROM state WHERE key = $1', [key])
  return rows[0]?.value
}

function unknownName(detail: string): Problem {
  return new Problem({ status: 404, slug: 'unknown-name', detail })
}

export function resolveRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/resolve',
      summary: 'What a handle or the URL of a page stands for',
      query: resolveQuery,
      answers: {
        200: { description: 'Kind and id of the entity', name: 'Resolution', schema: resolutionSchema },
        404: {
          description: 'Nothing has this name, or it is the address of somebody who has done nothing yet',
        },
        410: { description: 'What it names was deleted, or is taken down here' },
      },
      async answer({ query }) {
        return { body: await resolve(database, query, now()), freshness: 'checked' }
      },
    }),
  ]
}
