import { pipeline } from 'node:stream/promises'
import { Problem, type QuickRoute } from '@hexachord/platform/http'
import { type Response, Router } from 'express'
import { BlockNotFound, type IpfsNode, KuboUnavailable } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { type BlockReader, createBlockReader } from './block-reader.ts'
import { blocksAway } from './blocks-away.ts'
import { carBlocks, carHeader, carPieces, readCarRequest, requireBytesWithin } from './car.ts'
import { isUnchanged, requestedRange } from './conditions.ts'
import { carParameters, chooseFormat } from './formats.ts'
import type { Gate, Meter, PaidRequest } from './gate.ts'
import { type GatewayParameters, type GatewayRequest, readGatewayRequest } from './gateway-request.ts'
import { cachingHeaders, contentHeaders, corsHeaders, etagOf, type Selection } from './headers.ts'
import { resolvePath } from './path-resolution.ts'
import { createQuickAnswers, type QuickAnswers } from './quick-answers.ts'
import { readCid } from './requested-block.ts'

export type GatewayOptions = {
  readonly ipfs: Pick<IpfsNode, 'get' | 'size'>
  /** Memory for hot blocks. */
  readonly cacheBytes: number
  /** What this operator refuses to serve. @default nothing */
  readonly takedowns?: Pick<Takedowns, 'isDenied' | 'requireServed'> | undefined
  /**
   * Gets a block that is not here, for a gateway of last resort; what it gives is hashed before anybody sees it.
   * BlockNotFound, BlockUnavailable, and RetrievalFailed with nothing but `missing`, mean that nobody has the block.
   * @default a block that is not here is not found
   */
  readonly fetchMissing?: ((cid: string, signal: AbortSignal) => Promise<Uint8Array>) | undefined
  /** How long `fetchMissing` has for a block, in ms. @default 30 s, after which clients tend to give up */
  readonly fetchTimeoutMs?: number | undefined
  /** Asks for payment. @default all blocks are free */
  readonly gate?: Gate | undefined
}

const defaultFetchTimeoutMs = 30_000
const methods = 'GET, HEAD, OPTIONS'
const path = '/ipfs/:cid{/*path}'

export type Gateway = {
  readonly routes: Router
  /** What of the routes' answers is ready in memory; for `quickFirst` before the app that has the routes. */
  readonly quick: QuickRoute
}

/**
 * `/ipfs/:cid` and `/ipfs/:cid/…`: the IPFS trustless and path gateway rules for raw and dag-json blocks
 * (https://specs.ipfs.tech/http-gateways/). Blocks are served from memory; streams and hashes stay off the hot path.
 */
export function createGateway(options: GatewayOptions): Gateway {
  const reader = createBlockReader({
    ipfs: options.ipfs,
    cacheBytes: options.cacheBytes,
    fetchMissing: options.fetchMissing,
    fetchTimeoutMs: options.fetchTimeoutMs ?? defaultFetchTimeoutMs,
  })
  const { takedowns, gate } = options
  const isDenied = (cid: string) => takedowns?.isDenied(cid) ?? false
  const quick = createQuickAnswers({ route: path, hot: reader.hot, isDenied, gate })
  const refuseDenied = (cid: string) => takedowns?.requireServed(cid)
  const router = Router()
  router.get<string, GatewayParameters>(path, async (request, response) => {
    const asked = readGatewayRequest(request)
    try {
      await answer(asked, response, { reader: guardedReader(reader, asked, refuseDenied), quick, gate })
    } catch (error) {
      if (error instanceof BlockNotFound) throw notHere(asked, error)
      if (error instanceof KuboUnavailable) throw blocksAway(error)
      throw error
    }
  })
  router.options(path, (_request, response) => {
    response.writeHead(204, { ...corsHeaders, Allow: methods, 'Access-Control-Max-Age': 86_400 }).end()
  })
  router.all(path, (request) => {
    const detail = `${request.method} is not possible here; blocks can only be read`
    throw new Problem({ status: 405, detail, headers: { Allow: methods } })
  })
  return { routes: router, quick }
}

/** Blocks as this one request may see them. */
type RequestReader = {
  check(cid: string): void
  read(cid: string, keep?: boolean): Promise<Uint8Array>
  size(cid: string): Promise<number>
}

function guardedReader(
  reader: BlockReader,
  { block, headers, onlyIfCached }: GatewayRequest,
  check: (cid: string) => void,
): RequestReader {
  // Nodes that ask each other on somebody's behalf go round in circles.
  const elsewhere = !onlyIfCached && headers.authorization === undefined
  const inline = block.kind === 'inline' ? block : undefined
  return {
    check,
    async read(cid, keep = true) {
      check(cid)
      if (cid === inline?.cid) return inline.bytes
      return reader.hot(cid) ?? reader.read(cid, { elsewhere, keep })
    },
    async size(cid) {
      check(cid)
      return cid === inline?.cid ? inline.bytes.length : reader.size(cid, { elsewhere })
    },
  }
}

/** What an answer is made with. */
type Means = { reader: RequestReader; quick: QuickAnswers; gate: Gate | undefined }

async function answer(asked: GatewayRequest, response: Response, means: Means): Promise<void> {
  const { reader, gate } = means
  const selection = await select(asked, means)
  // Whoever asks only for what is here is told so before anything else; for others the name alone decides.
  if (asked.onlyIfCached) await reader.size(selection.target)
  if (isUnchanged(asked.headers, etagOf(selection))) {
    response.writeHead(304, cachingHeaders(selection)).end()
    return
  }
  if (selection.car !== undefined) {
    await answerCar(selection, response, means)
    return
  }
  // Nothing is fetched from elsewhere for whoever cannot pay.
  if (selection.isPaid) gate?.requireMeans(paidRequest(selection, response))
  await answerBlock(selection, response, means)
}

function paidRequest({ asked, target }: Selection, { req: request }: Response): PaidRequest {
  return { request, cid: target, session: asked.session, isHead: asked.isHead }
}

async function select(asked: GatewayRequest, { reader, gate }: Means): Promise<Selection> {
  const { block, segments, query, headers } = asked
  reader.check(block.cid)
  const blocks = await resolvePath(block.cid, segments, (cid) => reader.read(cid))
  const target = blocks.at(-1) ?? block.cid
  reader.check(target)
  const end = target === block.cid ? block : readCid(target)
  if (end.kind === 'foreign') throw new BlockNotFound(target)
  const codec = end.kind === 'inline' ? 'raw' : end.codec
  const chosen = chooseFormat(query, headers.accept, codec)
  const car = chosen.format === 'car' ? readCarRequest(query, carParameters(headers.accept)) : undefined
  const isPaid = car === undefined && (gate?.isPaid(target) ?? false)
  return { asked, blocks, target, codec, chosen, car, isPaid }
}

async function answerBlock(
  selection: Selection,
  response: Response,
  { reader, quick, gate }: Means,
): Promise<void> {
  const { asked, target, isPaid } = selection
  const headers = contentHeaders(selection)
  if (asked.isHead) {
    const size = await reader.size(target)
    if (isPaid) await gate?.admit(paidRequest(selection, response), 0)
    response.writeHead(200, { ...headers, 'Content-Length': size }).end()
    return
  }
  const bytes = await reader.read(target)
  const range = requestedRange(asked.headers, bytes.length, etagOf(selection))
  if (range === 'unsatisfiable') throw outside(target, bytes.length)
  const sent = range === 'whole' ? bytes.length : range.end - range.start + 1
  // Only for what is here is anybody charged.
  const paid = isPaid ? await gate?.admit(paidRequest(selection, response), sent) : undefined
  if (!isPaid) gate?.requireFreeRate(paidRequest(selection, response), sent)
  if (range === 'whole') {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    response.setHeader('Content-Length', bytes.length)
    // The blocks of a path would each have to be asked about again.
    if (asked.segments.length === 0) quick.remember(response.req, response, { cid: target, isPaid })
    for (const [name, value] of Object.entries(paid ?? {})) response.setHeader(name, value)
    response.end(bytes)
    return
  }
  const part = bytes.subarray(range.start, range.end + 1)
  const contentRange = `bytes ${range.start}-${range.end}/${bytes.length}`
  response
    .writeHead(206, { ...headers, ...paid, 'Content-Range': contentRange, 'Content-Length': part.length })
    .end(part)
}

async function answerCar(selection: Selection, response: Response, { reader, gate }: Means): Promise<void> {
  const { asked, blocks, target, car } = selection
  if (car === undefined) throw new TypeError('a CAR is answered only where one was chosen')
  // What is asked for has to be here; what it links to may turn out not to be, and then the answer breaks off.
  const size = await reader.size(target)
  if (selection.codec === 'raw') requireBytesWithin(car, size)
  const read = (cid: string) => reader.read(cid, false)
  const isPaid = await hasPaidBlocks(selection, response, gate, read)
  const headers = contentHeaders({ ...selection, isPaid })
  if (asked.isHead) {
    response.writeHead(200, headers).end()
    return
  }
  if (asked.block.kind === 'inline') {
    response.writeHead(200, headers).end(carHeader(target))
    return
  }
  const meter = gate?.meter(paidRequest(selection, response), isPaid)
  response.writeHead(200, headers)
  try {
    // A whole track would push what is hot out of memory.
    await pipeline(metered(carPieces(blocks, car, read), meter), response)
  } catch (error) {
    if (!isGone(error)) throw new Error(`the CAR of ${target} had to be broken off`, { cause: error })
  } finally {
    meter?.end()
  }
}

async function* metered(pieces: AsyncIterable<Uint8Array>, meter: Meter | undefined) {
  for await (const piece of pieces) {
    await meter?.next(piece.length)
    yield piece
  }
}

/** Whether a CAR will have blocks that cost something. Only nodes of the network may have such a one.
 * @throws Problem 402 for others */
async function hasPaidBlocks(
  { blocks, car }: Selection,
  { req: request }: Response,
  gate: Gate | undefined,
  read: (cid: string) => Promise<Uint8Array>,
): Promise<boolean> {
  if (car === undefined || gate === undefined || !gate.isInUse()) return false
  const cids = [...(await carBlocks(blocks, car, read))]
  if (!cids.some(gate.isPaid)) return false
  if (!gate.isPeer(request)) gate.requireFree(request, cids)
  return true
}

/** The caller hung up before the end. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

function notHere({ onlyIfCached }: GatewayRequest, cause: BlockNotFound): Problem {
  return new Problem({
    status: onlyIfCached ? 412 : 404,
    slug: 'block-not-here',
    title: 'Block not here',
    detail: `block ${cause.cid} is not on this node; ask another holder of the track`,
    cause,
  })
}

function outside(cid: string, size: number): Problem {
  return new Problem({
    status: 416,
    detail: `block ${cid} has ${size} bytes; the range asked for lies outside them`,
    headers: { 'Content-Range': `bytes */${size}` },
  })
}
