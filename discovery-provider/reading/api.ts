import { createApp, finishApp, type GuardedFetch } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger, Metrics } from '@hexachord/platform/process'
import type { Express } from 'express'
import type { IndexedNetwork } from '../indexing/index.ts'
import { actionRoutes } from './actions.ts'
import { blockRoutes } from './blocks.ts'
import type { ChainHead } from './chain-head.ts'
import { createLiveHolders } from './live-holders.ts'
import { openApiDocument } from './openapi.ts'
import { operatorRoutes } from './operators.ts'
import { playlistRoutes } from './playlists.ts'
import { resolveRoutes } from './resolve.ts'
import { serveRoutes } from './route.ts'
import { searchRoutes } from './search.ts'
import { sendJson } from './send-json.ts'
import { type ProcessStatus, statusRoutes } from './status.ts'
import { streamRoutes } from './stream.ts'
import { trackRoutes } from './tracks.ts'
import { userRoutes } from './users.ts'

export type ApiParts = {
  readonly postgres: Postgres
  readonly head: ChainHead
  /** For the endpoints that operators have registered. */
  readonly fetch: GuardedFetch
  readonly network: IndexedNetwork
  readonly process: () => ProcessStatus
  /** Origin under which others reach the API. */
  readonly publicUrl: string
  readonly logger: Logger
  readonly metrics: Metrics
  /** ms */
  readonly now: () => number
}

/** Everything that is read: the catalogue under `/v1`, and how the provider fares. Writes nothing. */
export function createApi(parts: ApiParts): Express {
  const { postgres, now, logger, metrics } = parts
  const liveHolders = createLiveHolders({ fetch: parts.fetch, now, random: Math.random })
  const routes = [
    ...trackRoutes(postgres),
    ...streamRoutes(postgres, liveHolders),
    ...userRoutes(postgres, now),
    ...playlistRoutes(postgres),
    ...searchRoutes(postgres, now),
    ...resolveRoutes(postgres),
    ...operatorRoutes(postgres),
    ...actionRoutes(postgres),
    ...blockRoutes(postgres),
  ]
  const document = openApiDocument(routes, { version: parts.process().version, publicUrl: parts.publicUrl })

  const app = createApp({ logger, metrics, service: 'discovery-provider' })
  app.use(statusRoutes(parts))
  serveRoutes(app, routes)
  app.get('/openapi.json', (request, response) => sendJson(request, response, document, 'checked'))
  return finishApp(app)
}
