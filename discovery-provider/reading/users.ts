import { Problem } from '@hexachord/platform/http'
import { prepared } from '@hexachord/platform/postgres'
import { type Identity, identityKey, identityOf } from '@hexachord/protocol/actions'
import type { Address } from '@hexachord/protocol/names'
import { type User, userSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import { addressText, type Database, lastOf } from './entity.ts'
import { route } from './route.ts'
import { type Tallies, talliesOf } from './tallies.ts'

/** As {@link selectUsers} gives them. */
export type UserRow = {
  id: Address
  handle: string | null
  name: string | null
  bio: string | null
  links: string[] | null
  picture: string | null
  sealing_key: string | null
  created_at_ms: number | null
  updated_at_ms: number | null
  block: number | null
  log_index: number | null
  digest: string | null
  identity: Identity | null
  track_count: number
  tallies: Tallies
  /** Whether anything in the catalogue is, or was, the author's. */
  known: boolean
}

/** Users by address, in the order asked for; addresses that never published anything are left out, unless they are
 * asked for: someone may just follow.
 * @param atMs the time for which controllers are told: a recovery comes into force by itself */
export async function readUsers(
  database: Database,
  ids: readonly Address[],
  atMs: number,
  { includeUnknown = false }: { includeUnknown?: boolean } = {},
): Promise<User[]> {
  if (ids.length === 0) return []
  const { rows } = await database.query<UserRow>(usersStatement, [ids, atMs])
  return rows
    .filter(({ known, tallies }) => known || Object.keys(tallies).length > 0 || includeUnknown)
    .map((row) => userOf(row, atMs))
}

/** Begins a query of users and their profiles, called `p`, with all that {@link userOf} needs.
 * @param id a column, such as `asked.id`; of any collation, though an index of authors has the default one
 * @param atMs the time until which tracks are counted, in SQL */
export const selectUsers = (id: string, atMs: string) => `
  SELECT ${id}, p.handle, p.name, p.bio, p.links, p.picture, p.sealing_key, p.created_at_ms, p.updated_at_ms,
       p.block, p.log_index, p.digest,
       (SELECT value FROM state WHERE key = 'identity/' || ${id}) AS identity,
       (SELECT count(*)::int FROM track t WHERE t.author = ${id} COLLATE "default" AND NOT t.unlisted
          AND t.listed_at_ms <= (SELECT released_until(${atMs}))) AS track_count,
       ${talliesOf(id)} AS tallies,
       p.id IS NOT NULL OR EXISTS (
         -- All subjects of the author: '.' is the character after '-'.
         SELECT FROM state s
         WHERE s.key >= 'subject/' || ${id} || '-' AND s.key < 'subject/' || ${id} || '.'
       ) AS known`

export const usersStatement = prepared(
  'users',
  `${selectUsers('asked.id', '$2')} FROM unnest((SELECT $1::text[])) WITH ORDINALITY AS asked (id, place)
   LEFT JOIN profile p ON p.id = asked.id ORDER BY asked.place`,
)

/** @param atMs the time for which the controller is told */
export function userOf(row: UserRow, atMs: number): User {
  const view = {
    get: (key: string) => (key === identityKey(row.id) ? (row.identity ?? undefined) : undefined),
  }
  const { block, log_index, digest } = row
  return {
    id: row.id,
    handle: row.handle,
    name: row.name,
    bio: row.bio,
    links: row.links ?? [],
    picture: row.picture,
    sealingKey: row.sealing_key,
    controller: identityOf(view, row.id, atMs).controller,
    trackCount: row.track_count,
    followerCount: row.tallies.followers ?? 0,
    followingCount: row.tallies.following ?? 0,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last:
      block === null || log_index === null || digest === null ? null : lastOf({ block, log_index, digest }),
  }
}

export function userRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/users/:id',
      summary: 'One user, by address',
      params: z.strictObject({ id: addressText }),
      answers: {
        200: { description: 'The user', name: 'User', schema: userSchema },
        404: { description: 'Nobody with this address has done anything yet' },
      },
      async answer({ params: { id } }) {
        const [user] = await readUsers(database, [id], now())
        if (user !== undefined) return { body: user, freshness: 'checked' }
        throw new Problem({
          status: 404,
          slug: 'no-such-user',
          detail: `${id} has neither a profile nor anything published`,
        })
      },
    }),
  ]
}
