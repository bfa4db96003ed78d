import { createApp, finishApp, type GuardedFetch } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import type { Logger, Metrics } from '@hexachord/platform/process'
import { domainOf } from '@hexachord/protocol/signing'
import type { Express } from 'express'
import {
  appPasswordRoutes,
  createAccountOf,
  createAppPasswords,
  createLogins,
} from '../app-passwords/index.ts'
import { documentationRoute } from '../documentation/index.ts'
import { eventRoutes } from '../events/index.ts'
import type { IndexedNetwork } from '../indexing/index.ts'
import { likenessRoutes } from '../likeness/index.ts'
import { createListenBrainz } from '../listenbrainz/index.ts'
import { incomeRoutes, termsRoutes } from '../payments/index.ts'
import { pioneerRoutes } from '../pioneer/index.ts'
import { createPlayerWrites, writingKeyRoutes } from '../player-writes/index.ts'
import { createPlayCounter, createPlayNews } from '../plays/index.ts'
import { createSubsonic } from '../subsonic/index.ts'
import { syndicationRoutes } from '../syndication/index.ts'
import { noticeRoutes } from '../takedowns/routes.ts'
import { actionRoutes } from './actions.ts'
import { appRoutes } from './apps.ts'
import { blockRoutes } from './blocks.ts'
import type { ChainHead } from './chain-head.ts'
import { commentRoutes } from './comments.ts'
import { feedRoutes } from './feed.ts'
import { followRoutes } from './follows.ts'
import { createLiveHolders } from './live-holders.ts'
import { markRoutes } from './marks.ts'
import { openApiDocument } from './openapi.ts'
import { operatorRoutes } from './operators.ts'
import { pictureRoutes } from './pictures.ts'
import { playlistRoutes } from './playlists.ts'
import { rateLimit } from './rate-limit.ts'
import { relatedTrackRoutes } from './related-tracks.ts'
import { relatedUserRoutes } from './related-users.ts'
import { resolveRoutes } from './resolve.ts'
import { serveRoutes } from './route.ts'
import { searchRoutes } from './search.ts'
import { sendJson } from './send-json.ts'
import { type ProcessStatus, statusRoutes } from './status.ts'
import { streamRoutes } from './stream.ts'
import { trackRoutes } from './tracks.ts'
import { trendingRoutes } from './trending.ts'
import { createReadTyped } from './typed-text.ts'
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
  /** Of one client, in the long run; 0 for no limit. @default 0 */
  readonly requestsPerSecond?: number
  /** 32 bytes, under which app passwords are kept; without them nobody logs in, and `/rest` is not served. */
  readonly appPasswordKey: Buffer | undefined
  /** 32 bytes, behind the keys that sign what players write; without them players only read. */
  readonly writingKey: Buffer | undefined
  /** ms */
  readonly now: () => number
  /** Ends streams of events. @default they end with their connections */
  readonly signal?: AbortSignal
}

/** Proxies of the operator's own, which are believed when they say for whom they ask. */
const ownProxies = ['loopback', 'linklocal', 'uniquelocal']

/** Everything that is read: the catalogue under `/v1` and, for players, under `/rest`; and how the provider fares.
 * Writes nothing but app passwords and a count of plays, and sends what players write for listeners who have let them. */
export function createApi(parts: ApiParts): Express {
  const { postgres, now, logger, metrics, network, publicUrl, requestsPerSecond = 0 } = parts
  const liveHolders = createLiveHolders({ fetch: parts.fetch, now, random: Math.random })
  const readTyped = createReadTyped(postgres)
  const routes = [
    ...trendingRoutes(postgres, now),
    ...trackRoutes(postgres, now),
    ...relatedTrackRoutes(postgres, now),
    ...likenessRoutes(postgres, now),
    ...relatedUserRoutes(postgres, now),
    ...streamRoutes(postgres, liveHolders, now),
    ...userRoutes(postgres, now),
    ...followRoutes(postgres, now),
    ...markRoutes(postgres, now),
    ...feedRoutes(postgres, now),
    ...commentRoutes(postgres),
    ...appRoutes(postgres, now),
    ...playlistRoutes(postgres, now),
    ...pictureRoutes({ database: postgres, liveHolders }, now),
    ...syndicationRoutes({ database: postgres, liveHolders, ...parts }),
    ...searchRoutes({ database: postgres, readTyped }, now),
    ...resolveRoutes(postgres, now),
    ...noticeRoutes(postgres),
    ...operatorRoutes(postgres),
    ...incomeRoutes(postgres),
    ...termsRoutes(postgres),
    ...actionRoutes(postgres),
    ...blockRoutes(postgres),
    ...pioneerRoutes({ postgres, readTyped, liveHolders, publicUrl, now }),
  ]
  const appPasswords =
    parts.appPasswordKey && createAppPasswords({ postgres, key: parts.appPasswordKey, now })
  const domain = domainOf({ chainId: network.chainId, contracts: { catalog: network.catalog } })
  const writes =
    appPasswords && parts.writingKey && createPlayerWrites({ ...parts, secret: parts.writingKey, domain })
  const tokens = { postgres, domain, audience: publicUrl, now }
  if (appPasswords) routes.push(...appPasswordRoutes({ appPasswords, ...tokens }))
  if (writes) routes.push(...writingKeyRoutes(writes, createAccountOf(tokens)))
  const { version } = parts.process()
  routes.push(documentationRoute(() => document, { database: postgres, now }))
  const document = openApiDocument(routes, { version, publicUrl })

  const app = createApp({ logger, metrics, service: 'discovery-provider', ownBodies: ['/1/'] })
  app.set('trust proxy', ownProxies)
  if (requestsPerSecond > 0) app.use(rateLimit({ perSecond: requestsPerSecond, now }))
  app.use(statusRoutes(parts))
  const playNews = createPlayNews()
  app.use(eventRoutes({ database: postgres, playNews, now, signal: parts.signal }))
  serveRoutes(app, routes)
  app.get('/openapi.json', (request, response) => sendJson(request, response, document, 'checked'))
  if (appPasswords) {
    const players = {
      ...{ postgres, readTyped, now },
      logins: createLogins({ appPasswords, now }),
      plays: createPlayCounter(postgres, playNews, now),
    }
    app.use('/rest', createSubsonic({ ...players, liveHolders, writes, serverVersion: version }))
    app.use('/1', createListenBrainz(players))
  }
  return finishApp(app)
}
