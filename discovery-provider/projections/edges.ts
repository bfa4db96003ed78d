import type { CopyType } from '@hexachord/platform/postgres'
import type { Edge } from '@hexachord/protocol/actions'
import { type PlacedRow, type Projection, placedTypes, type TallyRule } from './projection.ts'

/** An author follows, saves, reposts or mutes something. */
export type EdgeRow = PlacedRow & {
  readonly author: string
  readonly target: string
  readonly since_ms: number
}

const edgeTypes = {
  ...placedTypes,
  author: 'text',
  target: 'text',
  since_ms: 'bigint',
} as const satisfies Record<keyof EdgeRow, CopyType>

/** `<author>/<target>`, as keys of registers have it. */
export type EdgeName = `${string}/${string}`

export const follows = edges('follow', [
  { of: 'target', what: 'followers' },
  { of: 'author', what: 'following' },
])
export const saves = edges('save', [{ of: 'target', what: 'saves' }])
export const reposts = edges('repost', [{ of: 'target', what: 'reposts' }])
export const mutes = edges('mute')

/** @param table is named as the space of the keys */
function edges(table: string, tallies?: readonly TallyRule<EdgeRow>[]): Projection<EdgeRow, EdgeName, Edge> {
  return {
    table,
    version: 1,
    space: table,
    columns: Object.keys(edgeTypes),
    columnTypes: edgeTypes,
    idOf: (name) => name,
    rowOf(name, edge) {
      if (!edge.on) return undefined
      const { block, logIndex, digest, sinceMs } = edge
      const { author, target } = endsOf(name)
      // Most rows are these, and to spread an object takes several times as long.
      return { id: name, block, log_index: logIndex, digest, author, target, since_ms: sinceMs }
    },
    ...(tallies && { tallies }),
  }
}

export function endsOf(name: EdgeName): { author: string; target: string } {
  const slash = name.indexOf('/')
  return { author: name.slice(0, slash), target: name.slice(slash + 1) }
}
