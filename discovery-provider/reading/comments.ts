import type { Address, Subject } from '@hexachord/protocol/names'
import { type Comment, commentSchema, type List, listOf } from '@hexachord/protocol/rest'
import type { CommentRow } from '../projections/comments.ts'
import { decodeCursor, type PageQuery, pageOf, pageQuery, placeBefore, timeKey } from './cursor.ts'
import { absence, commentParams, type Database, lastOf, subjectParams } from './entity.ts'
import { route } from './route.ts'
import { reactionsIn, type Tallies, talliesOf } from './tallies.ts'
import { readTrack } from './tracks.ts'

type ReadCommentRow = CommentRow & {
  readonly author_handle: string | null
  readonly pinned: boolean
  readonly tallies: Tallies
}

/** Begins a query of comments, called `c`, with all that {@link commentOf} needs. */
const selectComments = `
  SELECT c.*, (SELECT p.handle FROM profile p WHERE p.id = c.author) AS author_handle,
    coalesce((SELECT pin.comment = c.id FROM pin WHERE pin.id = c.track), false) AS pinned,
    ${talliesOf('c.id')} AS tallies`

/** Whether the track's author mutes who wrote the comment. */
const muted = `EXISTS (SELECT FROM mute m WHERE m.id = left(c.track, 42) || '/' || c.author)`

/** What lists hold: whom the track's author has muted is not shown; a deleted comment is where a thread would lose its
 * beginning. */
const shown = `
  NOT ${muted}
  AND (NOT c.deleted OR (SELECT n.total FROM tally n WHERE n.subject = c.id AND n.what = 'replies') > 0)`

function commentOf(row: ReadCommentRow): Comment {
  return {
    id: row.id as Subject,
    author: row.author as Address,
    authorHandle: row.author_handle,
    track: row.track as Subject,
    root: row.root as Subject | null,
    replyTo: row.reply_to as Subject | null,
    text: row.text,
    positionMs: row.position_ms,
    deleted: row.deleted,
    muted: false,
    pinned: row.pinned,
    replyCount: row.tallies.replies ?? 0,
    reactions: reactionsIn(row.tallies),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last: lastOf(row),
  }
}

/** Statement of the threads of a track by their first comments, newest first, without the pinned one. */
export function threadsQuery(
  track: Subject,
  before: readonly [number, string],
  rows: number,
): { text: string; values: unknown[] } {
  return {
    text: `${selectComments} FROM comment c
      WHERE c.track = $1 AND c.root IS NULL AND (c.created_at_ms, c.id) < ($2, $3) AND ${shown}
        AND (SELECT pin.comment FROM pin WHERE pin.id = $1) IS DISTINCT FROM c.id
      ORDER BY c.created_at_ms DESC, c.id DESC LIMIT $4`,
    values: [track, ...before, rows],
  }
}

/** Statement of the answers in a thread, oldest first. */
export function repliesQuery(
  root: Subject,
  after: readonly [number, string],
  rows: number,
): { text: string; values: unknown[] } {
  return {
    text: `${selectComments} FROM comment c
      WHERE c.root = $1 AND (c.created_at_ms, c.id) > ($2, $3) AND ${shown}
      ORDER BY c.created_at_ms, c.id LIMIT $4`,
    values: [root, ...after, rows],
  }
}

/** The pinned one stands before the first page. */
async function listThreads(
  database: Database,
  track: Subject,
  { limit, cursor }: PageQuery,
): Promise<List<Comment>> {
  await readTrack(database, track)
  const pinned = cursor === undefined ? await readPinned(database, track) : []
  const { text, values } = threadsQuery(track, placeBefore(cursor), limit + 1)
  const { rows } = await database.query<ReadCommentRow>(text, values)
  const { items, next } = pageOf(rows, limit, commentOf, (row) => [row.created_at_ms, row.id])
  return { items: [...pinned, ...items], next }
}

async function readPinned(database: Database, track: Subject): Promise<Comment[]> {
  const { rows } = await database.query<ReadCommentRow>(
    `${selectComments} FROM pin JOIN comment c ON c.id = pin.comment WHERE pin.id = $1 AND ${shown}`,
    [track],
  )
  return rows.map(commentOf)
}

async function listReplies(
  database: Database,
  root: Subject,
  { limit, cursor }: PageQuery,
): Promise<List<Comment>> {
  await readComment(database, root)
  const after = cursor === undefined ? ([0, ''] as const) : decodeCursor(timeKey, cursor)
  const { text, values } = repliesQuery(root, after, limit + 1)
  const { rows } = await database.query<ReadCommentRow>(text, values)
  return pageOf(rows, limit, commentOf, (row) => [row.created_at_ms, row.id])
}

/** One of whom the track's author has muted says nothing, but where it stands: its author can still delete it.
 * @throws Problem 404 */
async function readComment(database: Database, id: Subject): Promise<Comment> {
  const { rows } = await database.query<ReadCommentRow & { readonly muted: boolean }>(
    `${selectComments}, ${muted} AS muted FROM comment c WHERE c.id = $1`,
    [id],
  )
  const [row] = rows
  if (row === undefined) throw await absence(database, id, 'comment')
  const comment = commentOf(row)
  return row.muted ? { ...comment, muted: true, text: null, positionMs: null } : comment
}

const page = { description: 'One page of comments', name: 'CommentList', schema: listOf(commentSchema) }

export function commentRoutes(database: Database) {
  return [
    route({
      path: '/v1/tracks/:id/comments',
      summary: 'Threads on a track by their first comments: the pinned one, then newest first',
      params: subjectParams,
      query: pageQuery,
      answers: {
        200: page,
        404: { description: 'There is no such track' },
        410: { description: 'The track was deleted, or is taken down here' },
      },
      async answer({ params, query }) {
        return { body: await listThreads(database, params.id, query), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/comments/:id',
      summary: 'One comment; a deleted one has no text, nor has one by whom the track’s author mutes',
      params: commentParams,
      answers: {
        200: { description: 'The comment', name: 'Comment', schema: commentSchema },
        404: { description: 'There is no such comment' },
      },
      async answer({ params }) {
        return { body: await readComment(database, params.id), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/comments/:id/replies',
      summary: 'The answers in the thread that a comment begins, oldest first',
      params: commentParams,
      query: pageQuery,
      answers: { 200: page, 404: { description: 'There is no such comment' } },
      async answer({ params, query }) {
        return { body: await listReplies(database, params.id, query), freshness: 'checked' }
      },
    }),
  ]
}
