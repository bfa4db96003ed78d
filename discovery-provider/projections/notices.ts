import type { NoticeContent } from '@hexachord/protocol/actions'
import { type EntityRow, entityColumns, entityRow, type Projection, subjectId } from './projection.ts'

export type NoticeRow = EntityRow & {
  readonly author: string
  /** The track that it is about, whether or not there is one. */
  readonly track: string
  readonly ground: NoticeContent['ground']
  readonly statement: string
  readonly contact: string | null
}

export const notices: Projection<NoticeRow> = {
  table: 'notice',
  version: 1,
  space: 'subject',
  kind: 'notice',
  columns: [
    ...entityColumns,
    'author',
    'track',
    'ground',
    'statement',
    'contact',
  ] satisfies (keyof NoticeRow)[],
  idOf: subjectId,
  rowOf(subject, state) {
    if (state.kind !== 'notice' || state.deleted) return undefined
    const body = state.body as unknown as Omit<NoticeContent, 'prev'>
    return {
      ...entityRow(subject, state),
      author: state.author,
      track: body.track,
      ground: body.ground,
      statement: body.statement,
      contact: body.contact ?? null,
    }
  },
}
