import { delegationInForce, delegationKey, identityKey, type Scope } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import type { Address, Subject } from '@hexachord/protocol/names'
import {
  type App,
  appSchema,
  type DelegationAnswer,
  delegationSchema,
  type List,
  listOf,
} from '@hexachord/protocol/rest'
import { readState } from '../indexing/state.ts'
import type { AppRow, DelegationRow } from '../projections/apps.ts'
import { type PageQuery, pageOf, pageQuery, placeBefore } from './cursor.ts'
import { absence, appParams, type Database, lastOf } from './entity.ts'
import { userParams } from './follows.ts'
import { route } from './route.ts'

function appOf(row: AppRow): App {
  return {
    id: row.id as Subject,
    author: row.author as Address,
    name: row.name,
    description: row.description,
    url: row.url,
    picture: row.picture,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    last: lastOf(row),
  }
}

/** @throws Problem 404 or 410 */
async function readApp(database: Database, id: Subject): Promise<App> {
  const { rows } = await database.query<AppRow>('SELECT * FROM app WHERE id = $1', [id])
  if (rows[0] === undefined) throw await absence(database, id, 'app')
  return appOf(rows[0])
}

async function listApps(
  database: Database,
  author: Address,
  { limit, cursor }: PageQuery,
): Promise<List<App>> {
  const { rows } = await database.query<AppRow>(
    `SELECT * FROM app WHERE author = $1 AND (created_at_ms, id) < ($2, $3)
     ORDER BY created_at_ms DESC, id DESC LIMIT $4`,
    [author, ...placeBefore(cursor), limit + 1],
  )
  return pageOf(rows, limit, appOf, (row) => [row.created_at_ms, row.id])
}

/** @param nowMs the time for which it is told which are in force */
async function listDelegations(
  database: Database,
  author: Address,
  { limit, cursor }: PageQuery,
  nowMs: number,
): Promise<List<DelegationAnswer>> {
  const { rows } = await database.query<DelegationRow & { app_name: string | null }>(
    `SELECT d.*, a.name AS app_name FROM delegation d LEFT JOIN app a ON a.id = d.app
     WHERE d.author = $1 AND (d.set_at_ms, d.id) < ($2, $3)
     ORDER BY d.set_at_ms DESC, d.id DESC LIMIT $4`,
    [author, ...placeBefore(cursor), limit + 1],
  )
  const keys = rows.map((row) => delegationKey(author, row.key as Address))
  const state: ReadonlyMap<string, Json> = await readState(database, [identityKey(author), ...keys])
  const answerOf = (row: (typeof rows)[number]): DelegationAnswer => {
    const key = row.key as Address
    return {
      key,
      scopes: [...row.scopes] as Scope[],
      expiresAtMs: row.expires_at_ms,
      app: row.app as Subject | null,
      appName: row.app_name,
      inForce: delegationInForce({ get: (name) => state.get(name) }, author, key, nowMs) !== undefined,
      setAtMs: row.set_at_ms,
      last: lastOf(row),
    }
  }
  return pageOf(rows, limit, answerOf, (row) => [row.set_at_ms, row.id])
}

export function appRoutes(database: Database, now: () => number) {
  return [
    route({
      path: '/v1/users/:id/apps',
      summary: 'Apps that a user has made known, newest first',
      params: userParams,
      query: pageQuery,
      answers: { 200: { description: 'One page of apps', name: 'AppList', schema: listOf(appSchema) } },
      async answer({ params, query }) {
        return { body: await listApps(database, params.id, query), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/apps/:id',
      summary: 'One app',
      params: appParams,
      answers: {
        200: { description: 'The app', name: 'App', schema: appSchema },
        404: { description: 'There is no such app' },
        410: { description: 'The app was deleted' },
      },
      async answer({ params }) {
        return { body: await readApp(database, params.id), freshness: 'checked' }
      },
    }),
    route({
      path: '/v1/users/:id/delegations',
      summary: 'Keys that may sign for a user, and what; newest first',
      params: userParams,
      query: pageQuery,
      answers: {
        200: {
          description: 'One page of delegated keys',
          name: 'DelegationList',
          schema: listOf(delegationSchema),
        },
      },
      async answer({ params, query }) {
        return { body: await listDelegations(database, params.id, query, now()), freshness: 'checked' }
      },
    }),
  ]
}
