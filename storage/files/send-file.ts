import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Problem } from '@hexachord/platform/http'
import type { FilePart } from '@hexachord/protocol/manifests'
import type { Request, Response } from 'express'
import pLimit from 'p-limit'
import { blocksAway } from '../gateway/blocks-away.ts'
import { isUnchanged, requestedRange } from '../gateway/conditions.ts'
import type { Meter } from '../gateway/index.ts'
import { BlockNotFound, type IpfsNode, KuboUnavailable } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'

/** A file that stands nowhere as such: some blocks, one after the other, and what follows from their manifest. */
export type ServedFile = {
  readonly parts: readonly FilePart[]
  readonly byteLength: number
  /** Names these very bytes, wherever they are: strong, with its quotes. */
  readonly etag: string
  readonly type: string
  /** Content-Disposition. @default none */
  readonly disposition?: string | undefined
}

type Blocks = Pick<IpfsNode, 'get' | 'size'>

/** Both ends of what is sent of a part: from a byte to before another. */
type Piece = { readonly part: FilePart; readonly from: number; readonly to: number }

/** 48 weeks, as for blocks: what a hash names never changes. */
const maxAgeSeconds = 29_030_400
/** Blocks whose presence is asked about at one time. */
const looksAtOnce = 8

/**
 * Answers GET and HEAD with a file of blocks, with Range and conditions (RFC 9110 13 and 14), so that a player seeks
 * and a broken download goes on where it was, at another holder too. Before the answer begins it is known that all that
 * was asked for is here and may be served; every block is hashed on its way. Should one turn out to be damaged in the
 * middle, the connection is cut: an answer that is short never looks whole. In memory are at most the block that is
 * being sent and the next one; when the caller hangs up nothing more is read.
 * @param options.takedowns what this operator refuses; by default nothing
 * @param options.meter lets the answer begin, counts and paces what is sent; by default nothing is counted
 * @throws Problem 404 when a block is not here, 410, 416 or 503
 */
export async function sendFile(
  request: Request,
  response: Response,
  {
    ipfs,
    takedowns,
    meter,
    file,
  }: {
    ipfs: Blocks
    takedowns?: Pick<Takedowns, 'requireServed'> | undefined
    meter?: (() => Meter) | undefined
    file: ServedFile
  },
): Promise<void> {
  const { byteLength, etag } = file
  // Whoever stands before this handler may have said that it is for one reader alone.
  const cacheControl = response.get('Cache-Control') ?? `public, max-age=${maxAgeSeconds}, immutable`
  const caching = { ETag: etag, 'Cache-Control': cacheControl }
  if (isUnchanged(request.headers, etag)) {
    response.set(caching).status(304).end()
    return
  }
  const range = requestedRange(request.headers, byteLength, etag)
  if (range === 'unsatisfiable') {
    throw new Problem({
      status: 416,
      detail: `the file has ${byteLength} bytes; the range asked for lies outside them`,
      headers: { 'Content-Range': `bytes */${byteLength}` },
    })
  }
  const { start, end } = range === 'whole' ? { start: 0, end: byteLength - 1 } : range
  const pieces = piecesOf(file.parts, start, end + 1)
  for (const { part } of pieces) if ('cid' in part) takedowns?.requireServed(part.cid)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const body = bytesOf(ipfs, pieces, gone.signal)
  let metered: Meter | undefined
  try {
    await requireAll(ipfs, pieces, gone.signal)
    metered = request.method === 'HEAD' ? undefined : meter?.()
    // Whatever is wrong with the first block can still be told.
    const first = request.method === 'HEAD' ? undefined : await body.next()
    response.status(range === 'whole' ? 200 : 206).set({
      ...caching,
      'Accept-Ranges': 'bytes',
      'Content-Type': file.type,
      'Content-Length': String(end - start + 1),
      'X-Content-Type-Options': 'nosniff',
      ...(file.disposition === undefined ? {} : { 'Content-Disposition': file.disposition }),
      ...(range === 'whole' ? {} : { 'Content-Range': `bytes ${start}-${end}/${byteLength}` }),
    })
    if (first === undefined || first.done === true) {
      response.end()
      return
    }
    const sent = continued(first.value, body, metered)
    await pipeline(Readable.from(sent, { objectMode: false }), response)
  } catch (error) {
    if (gone.signal.aborted) return
    throw problemOf(error)
  } finally {
    metered?.end()
  }
}

/** What lies from `start` to before `end`, part by part. */
function piecesOf(parts: readonly FilePart[], start: number, end: number): Piece[] {
  const pieces: Piece[] = []
  let place = 0
  for (const part of parts) {
    const [from, to] = [Math.max(0, start - place), Math.min(part.byteLength, end - place)]
    if (from < to) pieces.push({ part, from, to })
    place += part.byteLength
  }
  return pieces
}

/** @throws BlockNotFound for a block that is not here, or not as long as it has to be */
async function requireAll(ipfs: Blocks, pieces: readonly Piece[], signal: AbortSignal): Promise<void> {
  const limit = pLimit(looksAtOnce)
  const look = async ({ part }: Piece) => {
    signal.throwIfAborted()
    if ('bytes' in part) return
    if ((await ipfs.size(part.cid, { signal })) !== part.byteLength) throw new BlockNotFound(part.cid)
  }
  await limit.map(pieces, look).finally(() => limit.clearQueue())
}

async function* bytesOf(
  ipfs: Blocks,
  pieces: readonly Piece[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  for (const { part, from, to } of pieces) {
    const bytes = 'bytes' in part ? part.bytes : await ipfs.get(part.cid, { signal })
    // What names a block lies about its length; its hash is right.
    if ('cid' in part && bytes.length !== part.byteLength) throw new BlockNotFound(part.cid)
    yield bytes.subarray(from, to)
  }
}

async function* continued(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void>,
  meter: Meter | undefined,
): AsyncGenerator<Uint8Array, void> {
  await meter?.next(first.length)
  yield first
  for await (const bytes of rest) {
    await meter?.next(bytes.length)
    yield bytes
  }
}

function problemOf(error: unknown): unknown {
  if (error instanceof KuboUnavailable) return blocksAway(error)
  if (!(error instanceof BlockNotFound)) return error
  return new Problem({
    status: 404,
    slug: 'not-held-here',
    detail: `block ${error.cid} of the file is not on this node; ask another holder of the track`,
    cause: error,
  })
}
