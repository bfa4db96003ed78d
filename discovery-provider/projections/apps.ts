import type { AppContent, Delegation } from '@hexachord/protocol/actions'
import { type EdgeName, endsOf } from './edges.ts'
import {
  type EntityRow,
  entityColumns,
  entityRow,
  type PlacedRow,
  type Projection,
  placedColumns,
  placedRow,
  subjectId,
} from './projection.ts'

export type AppRow = EntityRow & {
  readonly author: string
  readonly name: string
  readonly description: string | null
  readonly url: string | null
  readonly picture: string | null
}

export const apps: Projection<AppRow> = {
  table: 'app',
  version: 1,
  space: 'subject',
  kind: 'app',
  columns: [...entityColumns, 'author', 'name', 'description', 'url', 'picture'] satisfies (keyof AppRow)[],
  idOf: subjectId,
  rowOf(subject, state) {
    if (state.kind !== 'app' || state.deleted) return undefined
    const body = state.body as unknown as Omit<AppContent, 'prev'>
    return {
      ...entityRow(subject, state),
      author: state.author,
      name: body.name,
      description: body.description ?? null,
      url: body.url ?? null,
      picture: body.picture ?? null,
    }
  },
}

export type DelegationRow = PlacedRow & {
  readonly author: string
  readonly key: string
  readonly scopes: readonly string[]
  readonly expires_at_ms: number
  readonly app: string | null
  readonly controller: string
  readonly set_at_ms: number
}

export const delegations: Projection<DelegationRow, EdgeName, Delegation> = {
  table: 'delegation',
  version: 1,
  space: 'delegate',
  columns: [
    ...placedColumns,
    'author',
    'key',
    'scopes',
    'expires_at_ms',
    'app',
    'controller',
    'set_at_ms',
  ] satisfies (keyof DelegationRow)[],
  idOf: (name) => name,
  rowOf(name, delegation) {
    const { scopes, expiresAtMs, app, controller, setAtMs } = delegation
    if (scopes.length === 0) return undefined
    const { author, target: key } = endsOf(name)
    return {
      ...placedRow(name, delegation),
      ...{ author, key, scopes, app, controller },
      expires_at_ms: expiresAtMs,
      set_at_ms: setAtMs,
    }
  },
}
