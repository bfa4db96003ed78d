import type { IncomingHttpHeaders } from 'node:http'
import type { Request } from 'express'
import { isOnlyIfCached } from './conditions.ts'
import { type RequestedBlock, readCid } from './requested-block.ts'

/** What a caller asks of a gateway, read from URL and headers. */
export type GatewayRequest = {
  readonly block: RequestedBlock
  /** The path below the CID, decoded. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Whether only the headers are wanted. */
  readonly isHead: boolean
  /** Whether nobody else is to be asked for what is not here. */
  readonly onlyIfCached: boolean
  /** The URL's path as it came. */
  readonly urlPath: string
}

export type GatewayParameters = { cid: string; path?: string[] }

/** @throws Problem 400 for a malformed CID */
export function readGatewayRequest(request: Request<GatewayParameters>): GatewayRequest {
  const [urlPath = '', search = ''] = request.originalUrl.split('?', 2)
  return {
    block: readCid(request.params.cid),
    segments: (request.params.path ?? []).filter((segment) => segment !== ''),
    query: new URLSearchParams(search),
    headers: request.headers,
    isHead: request.method === 'HEAD',
    onlyIfCached: isOnlyIfCached(request.headers),
    urlPath,
  }
}
