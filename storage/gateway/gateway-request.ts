import type { IncomingHttpHeaders } from 'node:http'
import { Problem } from '@hexachord/platform/http'
import type { Request } from 'express'
import { isOnlyIfCached } from './conditions.ts'
import { type RequestedBlock, readCid } from './requested-block.ts'
import { takeSession } from './session-parameter.ts'

/** What a caller asks of a gateway, read from URL and headers. */
export type GatewayRequest = {
  readonly block: RequestedBlock
  /** The path below the CID, decoded. */
  readonly segments: readonly string[]
  /** Without the session. */
  readonly query: URLSearchParams
  /** What pays for blocks that cost something. */
  readonly session: string | undefined
  readonly headers: IncomingHttpHeaders
  /** Whether only the headers are wanted. */
  readonly isHead: boolean
  /** Whether nobody else is to be asked for what is not here. */
  readonly onlyIfCached: boolean
  /** The URL's path as it came. */
  readonly urlPath: string
}

export type GatewayParameters = { cid: string; path?: string[] }

/** @throws Problem 400 for a malformed CID, and for a page that would make a block the script of its worker */
export function readGatewayRequest(request: Request<GatewayParameters>): GatewayRequest {
  if (request.headers['service-worker'] === 'script') throw noWorkers()
  const { url, session } = takeSession(request.originalUrl)
  const [urlPath = '', search = ''] = url.split('?', 2)
  return {
    block: readCid(request.params.cid),
    segments: (request.params.path ?? []).filter((segment) => segment !== ''),
    query: new URLSearchParams(search),
    session,
    headers: request.headers,
    isHead: request.method === 'HEAD',
    onlyIfCached: isOnlyIfCached(request.headers),
    urlPath,
  }
}

/** The worker would rule over all of this origin, whoever's block it was. */
function noWorkers(): Problem {
  return new Problem({
    status: 400,
    slug: 'no-service-workers',
    title: 'No service workers',
    detail: 'blocks are data here, and no service worker can be registered from them',
  })
}
