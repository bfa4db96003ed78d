import type { Codec } from '@hexachord/protocol/cids'
import { type CarRequest, carContentType, carEtag } from './car.ts'
import { contentDisposition, contentTypeOf } from './file-names.ts'
import type { ChosenFormat, Format } from './formats.ts'
import type { GatewayRequest } from './gateway-request.ts'

/** What is going to be answered: the request, the blocks on its path up to the one it means, and how to give that. */
export type Selection = {
  readonly asked: GatewayRequest
  /** The root first, the target last; never empty. */
  readonly blocks: readonly string[]
  readonly target: string
  readonly codec: Codec
  readonly chosen: ChosenFormat
  /** Set when the format is CAR. */
  readonly car: CarRequest | undefined
  /** Whether it costs something, so that no cache may give it to others. */
  readonly isPaid: boolean
}

export type Headers = Readonly<Record<string, string | number>>

/**
 * What a browser's scripts of any origin may send and read. Of the exposed headers two are never sent here; programs
 * look for their names to tell a gateway.
 */
export const corsHeaders: Headers = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, HEAD, OPTIONS',
  'Access-Control-Allow-Headers':
    'Authorization, Content-Type, PAYMENT-SIGNATURE, Range, User-Agent, X-Requested-With',
  'Access-Control-Expose-Headers':
    'Accept-Ranges, Content-Length, Content-Range, ETag, Retry-After, X-Ipfs-Path, X-Ipfs-Roots, X-Request-Id, X-Chunked-Output, X-Stream-Output, PAYMENT-REQUIRED, PAYMENT-RESPONSE',
}

/** 48 weeks, as gateways have it: a CID never means anything else. */
const cacheControl = 'max-age=29030400, immutable'

export function etagOf({ blocks, target, chosen, car }: Selection): string {
  if (car !== undefined) return carEtag(blocks, car)
  return chosen.format === 'file' ? `"${target}"` : `"${target}.${chosen.format}"`
}

/** Headers that a 304 repeats, too (RFC 9110 15.4.5). */
export function cachingHeaders(selection: Selection): Headers {
  const { asked, chosen } = selection
  return {
    ...corsHeaders,
    ETag: etagOf(selection),
    'Cache-Control': `${selection.isPaid ? 'private' : 'public'}, ${cacheControl}`,
    ...(asked.query.has('format') ? {} : { Vary: 'Accept' }),
    ...(chosen.tellLocation ? { 'Content-Location': namedFormat(asked, chosen.format) } : {}),
  }
}

/** All but length and range. */
export function contentHeaders(selection: Selection): Headers {
  const { asked, blocks, car } = selection
  const disposition = dispositionOf(selection)
  return {
    ...cachingHeaders(selection),
    'Content-Type': contentTypeOfSelection(selection),
    'X-Content-Type-Options': 'nosniff',
    'X-Ipfs-Path': ipfsPath(asked),
    'X-Ipfs-Roots': blocks.join(','),
    'Accept-Ranges': car === undefined ? 'bytes' : 'none',
    ...(disposition === undefined ? {} : { 'Content-Disposition': disposition }),
  }
}

function contentTypeOfSelection({ asked, codec, chosen }: Selection): string {
  const types: Readonly<Record<Format, string>> = {
    raw: 'application/vnd.ipld.raw',
    car: carContentType,
    'dag-json': 'application/vnd.ipld.dag-json',
    json: 'application/json',
    file: codec === 'dag-json' ? 'application/vnd.ipld.dag-json' : contentTypeOf(asked.query.get('filename')),
  }
  return types[chosen.format]
}

function dispositionOf({ asked, blocks, target, codec, chosen }: Selection): string | undefined {
  const name = asked.query.get('filename') || undefined
  const isDownload = asked.query.get('download') === 'true'
  switch (chosen.format) {
    case 'raw':
      return contentDisposition('attachment', name ?? `${target}.bin`)
    case 'car':
      return contentDisposition('attachment', name ?? `${blocks[0]}.car`)
    case 'file':
      if (codec === 'raw' && name === undefined && !isDownload) return undefined
      return contentDisposition(
        isDownload ? 'attachment' : 'inline',
        name ?? (codec === 'raw' ? target : `${target}.json`),
      )
    default:
      return contentDisposition(isDownload ? 'attachment' : 'inline', name ?? `${target}.json`)
  }
}

function ipfsPath({ block, segments }: GatewayRequest): string {
  return ['/ipfs', block.cid, ...segments.map(encodeURIComponent)].join('/')
}

function namedFormat({ urlPath, query }: GatewayRequest, format: Format): string {
  const named = new URLSearchParams(query)
  named.set('format', format)
  return `${urlPath}?${named}`
}
