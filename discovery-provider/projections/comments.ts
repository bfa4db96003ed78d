import type { CopyType } from '@hexachord/platform/postgres'
import type { CommentBody, Pin, Reaction } from '@hexachord/protocol/actions'
import type { Subject } from '@hexachord/protocol/names'
import { type EdgeName, endsOf } from './edges.ts'
import {
  type EntityRow,
  entityColumns,
  entityRow,
  type PlacedRow,
  type Projection,
  placedColumns,
  placedRow,
  placedTypes,
  subjectId,
} from './projection.ts'

export type CommentRow = EntityRow & {
  readonly author: string
  readonly track: string
  readonly root: string | null
  readonly reply_to: string | null
  /** Null once it is deleted. */
  readonly text: string | null
  readonly position_ms: number | null
  readonly deleted: boolean
}

export const comments: Projection<CommentRow> = {
  table: 'comment',
  version: 1,
  space: 'subject',
  kind: 'comment',
  columns: [
    ...entityColumns,
    'author',
    'track',
    'root',
    'reply_to',
    'text',
    'position_ms',
    'deleted',
  ] satisfies (keyof CommentRow)[],
  idOf: subjectId,
  rowOf(subject, state) {
    if (state.kind !== 'comment') return undefined
    const body = state.body as unknown as Partial<CommentBody> & Pick<CommentBody, 'track'>
    return {
      ...entityRow(subject, state),
      author: state.author,
      track: body.track,
      root: body.root ?? null,
      reply_to: body.replyTo ?? null,
      text: body.text ?? null,
      position_ms: body.positionMs ?? null,
      deleted: state.deleted,
    }
  },
  tallies: [
    { of: 'track', what: 'comments', unless: 'deleted' },
    { of: 'root', what: 'replies', unless: 'deleted' },
  ],
}

export type ReactionRow = PlacedRow & {
  readonly author: string
  readonly comment: string
  readonly reaction: string
}

export const reactionPrefix = 'reaction/'

const reactionTypes = {
  ...placedTypes,
  author: 'text',
  comment: 'text',
  reaction: 'text',
} as const satisfies Record<keyof ReactionRow, CopyType>

export const reactions: Projection<ReactionRow, EdgeName, Reaction> = {
  table: 'reaction',
  version: 1,
  space: 'react',
  columns: Object.keys(reactionTypes),
  columnTypes: reactionTypes,
  idOf: (name) => name,
  rowOf(name, register) {
    if (register.reaction === null) return undefined
    const { author, target: comment } = endsOf(name)
    return { ...placedRow(name, register), author, comment, reaction: register.reaction }
  },
  tallies: [{ of: 'comment', what: reactionPrefix, whatColumn: 'reaction' }],
}

export type PinRow = PlacedRow & { readonly comment: string }

export const pins: Projection<PinRow, Subject, Pin> = {
  table: 'pin',
  version: 1,
  space: 'pin',
  columns: [...placedColumns, 'comment'] satisfies (keyof PinRow)[],
  idOf: (track) => track,
  rowOf(track, register) {
    return register.comment === null
      ? undefined
      : { ...placedRow(track, register), comment: register.comment }
  },
}
