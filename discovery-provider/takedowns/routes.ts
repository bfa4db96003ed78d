import type { Address, Subject } from '@hexachord/protocol/names'
import { subjectSchema } from '@hexachord/protocol/names'
import { type List, listOf, type Notice, noticeSchema } from '@hexachord/protocol/rest'
import type * as z from 'zod'
import type { NoticeRow } from '../projections/notices.ts'
import { pageOf, pageQuery, placeBefore } from '../reading/cursor.ts'
import { addressText, type Database, lastOf } from '../reading/entity.ts'
import { type Route, route } from '../reading/route.ts'

const listQuery = pageQuery.extend({
  track: subjectSchema.optional(),
  author: addressText.optional(),
})

type ReadNoticeRow = NoticeRow & { readonly honoured: boolean }

function noticeOf(row: ReadNoticeRow): Notice {
  return {
    id: row.id as Subject,
    author: row.author as Address,
    track: row.track as Subject,
    ground: row.ground,
    statement: row.statement,
    contact: row.contact,
    honoured: row.honoured,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last: lastOf(row),
  }
}

/** Statement of notices that were not withdrawn, newest first; its plan is held to its indexes by a test. */
export function noticesQuery(
  { track, author }: { track?: Subject | undefined; author?: Address | undefined },
  before: readonly [createdAtMs: number, id: string],
  rows: number,
): { text: string; values: unknown[] } {
  const values: unknown[] = [...before, rows]
  const conditions = ['(n.created_at_ms, n.id) < ($1, $2)']
  if (track !== undefined) conditions.push(`n.track = $${values.push(track)}`)
  if (author !== undefined) conditions.push(`n.author = $${values.push(author)}`)
  const text = `SELECT n.*, EXISTS (SELECT FROM honoured h WHERE h.account = n.author) AS honoured
    FROM notice n WHERE ${conditions.join(' AND ')} ORDER BY n.created_at_ms DESC, n.id DESC LIMIT $3`
  return { text, values }
}

async function listNotices(
  database: Database,
  { limit, cursor, ...about }: z.output<typeof listQuery>,
): Promise<List<Notice>> {
  const { text, values } = noticesQuery(about, placeBefore(cursor), limit + 1)
  const { rows } = await database.query<ReadNoticeRow>(text, values)
  return pageOf(rows, limit, noticeOf, (row) => [row.created_at_ms, row.id])
}

/** `/v1/notices`: also of those that nobody honours, so that who is accused finds out. */
export function noticeRoutes(database: Database): Route[] {
  return [
    route({
      path: '/v1/notices',
      summary:
        'Takedown notices about tracks, newest first, of a track or by an author, and whether they are honoured here',
      query: listQuery,
      answers: {
        200: { description: 'One page of notices', name: 'NoticeList', schema: listOf(noticeSchema) },
      },
      async answer({ query }) {
        return { body: await listNotices(database, query), freshness: 'checked' }
      },
    }),
  ]
}
