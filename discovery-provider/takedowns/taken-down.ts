import { Problem } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { NoticeContent } from '@hexachord/protocol/actions'
import type { Address, Subject } from '@hexachord/protocol/names'

type Row = { readonly notice: Subject; readonly by: Address; readonly ground: NoticeContent['ground'] }

/** Why a track that is in the catalogue is not shown here, by the oldest notice that denies it; undefined when none does.
 * The problem is that of nodes: what a notice states is for its readers, under `/v1/notices`. */
export async function denialOf(
  database: Pick<Postgres, 'query'>,
  track: Subject,
): Promise<Problem | undefined> {
  const { rows } = await database.query<Row>(
    `SELECT n.id AS notice, n.author AS by, n.ground FROM notice n JOIN honoured h ON h.account = n.author
     WHERE n.track = $1 ORDER BY n.created_at_ms, n.id LIMIT 1`,
    [track],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { notice, by, ground } = row
  return new Problem({
    status: 410,
    slug: 'taken-down',
    title: 'Taken down',
    detail: `track ${track} is not shown by this provider: it honours notice ${notice} by ${by} (${ground}). Others may show it`,
    members: { track, notice, by, ground },
  })
}
