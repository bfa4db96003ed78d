import type { Address } from '@hexachord/protocol/names'
import { type Follow, followSchema, type List, listOf } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { EdgeRow } from '../projections/edges.ts'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import { addressText, type Database } from './entity.ts'
import { route } from './route.ts'
import { readUsers } from './users.ts'

export const userParams = z.strictObject({ id: addressText })

/** Statement of edges at one end, newest first.
 * @param end the column that holds what is asked for; it has an index of its own */
export function edgesQuery(
  table: 'follow' | 'save' | 'repost',
  end: 'author' | 'target',
  id: string,
  before: readonly [number, string],
  rows: number,
): { text: string; values: unknown[] } {
  return {
    text: `SELECT e.id, e.author, e.target, e.since_ms FROM ${table} e
      WHERE e.${end} = $1 AND (e.since_ms, e.id) < ($2, $3)
      ORDER BY e.since_ms DESC, e.id DESC LIMIT $4`,
    values: [id, ...before, rows],
  }
}

/** Those who follow a user (the user is the target), or whom a user follows (the author). */
export async function listFollows(
  database: Database,
  { id, end, limit, cursor }: PageQuery & { id: Address; end: 'author' | 'target' },
  nowMs: number,
): Promise<List<Follow>> {
  const { text, values } = edgesQuery('follow', end, id, placeBefore(cursor), limit + 1)
  const { rows } = await database.query<EdgeRow>(text, values)
  const { items, next } = pageOf(
    rows,
    limit,
    (row) => row,
    (row) => [row.since_ms, row.id],
  )
  const others = items.map((row) => (end === 'target' ? row.author : row.target) as Address)
  const users = await readUsers(database, others, nowMs, { includeUnknown: true })
  return { items: users.map((user, at) => ({ user, sinceMs: items[at]?.since_ms ?? 0 })), next }
}

const answers = {
  200: { description: 'One page of users', name: 'FollowList', schema: listOf(followSchema) },
}

export function followRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/users/:id/followers',
      summary: 'Who follows a user, newest first',
      params: userParams,
      query: pageQuery,
      answers,
      async answer({ params, query }) {
        const asked = { ...params, ...query, end: 'target' } as const
        return { body: await listFollows(database, asked, now()), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/users/:id/following',
      summary: 'Whom a user follows, newest first',
      params: userParams,
      query: pageQuery,
      answers,
      async answer({ params, query }) {
        const asked = { ...params, ...query, end: 'author' } as const
        return { body: await listFollows(database, asked, now()), freshness: 'checked' }
      },
    }),
  ]
}
