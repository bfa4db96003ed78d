import type { Address } from '@hexachord/protocol/names'
import { listOf, type User, userSchema } from '@hexachord/protocol/rest'
import * as z from 'zod'
import type { Database } from './entity.ts'
import { userParams } from './follows.ts'
import { route } from './route.ts'
import { readUsers } from './users.ts'

/** Those who care for a user whose other choices are looked at, the newest of each sort; and choices of each of them.
 * Together a few thousand steps along indexes, however many there are. */
const listenersAtMost = 100
const choicesAtMost = 30

const relatedQueryParams = z.strictObject({
  limit: z.coerce.number<string>().int().min(1).max(50).default(20),
})

/** Statement of users with listed tracks whom those who follow a user, or save its newest tracks, follow and save as well: most
 * such listeners first. @param nowMs the reader's clock */
export function relatedUsersQuery(
  id: Address,
  rows: number,
  nowMs: number,
): { text: string; values: unknown[] } {
  return {
    text: `
      WITH listener AS MATERIALIZED (
        (SELECT author AS id FROM follow WHERE target = $1 ORDER BY since_ms DESC, id DESC LIMIT ${listenersAtMost})
        UNION
        SELECT saved.author FROM (
          SELECT t.id COLLATE "default" AS id FROM track t WHERE t.author = $1 AND NOT t.unlisted
            AND t.listed_at_ms <= (SELECT released_until($3))
          ORDER BY t.listed_at_ms DESC, t.id DESC LIMIT 10
        ) AS own CROSS JOIN LATERAL (
          SELECT s.author FROM save s WHERE s.target = own.id ORDER BY s.since_ms DESC LIMIT ${listenersAtMost / 10}
        ) AS saved
      ), choice AS (
        SELECT l.id AS listener, c.user_id
        FROM listener l CROSS JOIN LATERAL (
          (SELECT f.target AS user_id FROM follow f WHERE f.author = l.id
           ORDER BY f.since_ms DESC, f.id DESC LIMIT ${choicesAtMost})
          UNION
          SELECT split_part(newest.target, '-', 1) FROM (
            SELECT s.target FROM save s WHERE s.author = l.id
            ORDER BY s.since_ms DESC, s.id DESC LIMIT ${choicesAtMost}
          ) AS newest
        ) AS c WHERE l.id <> $1
      ), counted AS (
        SELECT user_id, count(*) AS listeners FROM choice WHERE user_id <> $1 GROUP BY user_id
        ORDER BY listeners DESC, user_id DESC LIMIT $2::bigint * 4
      )
      SELECT c.user_id AS id FROM counted c
      WHERE EXISTS (
        SELECT FROM track t WHERE t.author = c.user_id AND NOT t.unlisted
          AND t.listed_at_ms <= (SELECT released_until($3))
      )
      ORDER BY c.listeners DESC, c.user_id DESC LIMIT $2`,
    values: [id, rows, nowMs],
  }
}

async function readRelated(database: Database, id: Address, limit: number, nowMs: number): Promise<User[]> {
  const { text, values } = relatedUsersQuery(id, limit, nowMs)
  const { rows } = await database.query<{ id: Address }>(text, values)
  return readUsers(
    database,
    rows.map((row) => row.id),
    nowMs,
  )
}

export function relatedUserRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/users/:id/related',
      summary: 'Artists whom those who follow or save this one follow and save as well, the likest first',
      params: userParams,
      query: relatedQueryParams,
      kept: true,
      answers: {
        200: { description: 'All there are', name: 'UserList', schema: listOf(userSchema) },
      },
      async answer({ params, query }) {
        const items = await readRelated(database, params.id, query.limit, now())
        return { body: { items, next: null }, freshness: 'recent' }
      },
    }),
  ]
}
