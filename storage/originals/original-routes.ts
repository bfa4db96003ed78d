import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Problem } from '@hexachord/platform/http'
import { CidError, isCid } from '@hexachord/protocol/cids'
import {
  type LoadedOriginal,
  type LoadedTrack,
  ManifestError,
  type Original,
} from '@hexachord/protocol/manifests'
import { type Request, type Response, Router } from 'express'
import { isUnchanged, requestedRange } from '../gateway/conditions.ts'
import { contentDisposition } from '../gateway/file-names.ts'
import type { IpfsNode } from '../ipfs/index.ts'
import type { Takedowns } from '../takedowns/index.ts'
import { IncompleteTrack, loadLocalTrack } from '../tracks/index.ts'

/** 48 weeks, as for blocks: what a manifest names never changes. */
const maxAgeSeconds = 29_030_400

/**
 * `GET /originals/:manifest`: the file that the artist sent, where it is part of the track, under the name that it had.
 * With Range and ETag (RFC 9110), so that a broken download goes on where it was. Every block is verified on its way;
 * should one be missing or wrong in the middle, the connection is cut rather than a wrong byte sent.
 * @param options.takedowns what this operator refuses; by default nothing
 */
export function originalRoutes(options: {
  ipfs: Pick<IpfsNode, 'get'>
  takedowns?: Pick<Takedowns, 'requireServed'>
}): Router {
  const { ipfs, takedowns } = options
  const router = Router()
  router.get('/originals/:manifest', async (request, response) => {
    const { manifest } = request.params
    const track = await trackOf(manifest, ipfs, takedowns)
    const { original } = track.manifest
    if (original === undefined || track.original === undefined) {
      throw new Problem({
        status: 404,
        slug: 'no-original',
        detail: `the original file is not part of ${manifest}: its artist did not ask for that`,
      })
    }
    await sendFile(request, response, { ipfs, file: original, list: track.original })
  })
  return router
}

async function sendFile(
  request: Request,
  response: Response,
  { ipfs, file, list }: { ipfs: Pick<IpfsNode, 'get'>; file: Original; list: LoadedOriginal },
): Promise<void> {
  const etag = `"${list.cid}"`
  response.set({ ETag: etag, 'Cache-Control': `public, max-age=${maxAgeSeconds}, immutable` })
  if (isUnchanged(request.headers, etag)) {
    response.status(304).end()
    return
  }
  const { byteLength } = file
  const range = requestedRange(request.headers, byteLength, etag)
  if (range === 'unsatisfiable') {
    throw new Problem({
      status: 416,
      detail: `the file has ${byteLength} bytes`,
      headers: { 'Content-Range': `bytes */${byteLength}` },
    })
  }
  const { start, end } = range === 'whole' ? { start: 0, end: byteLength - 1 } : range
  response.status(range === 'whole' ? 200 : 206).set({
    'Accept-Ranges': 'bytes',
    'Content-Type': file.type,
    'Content-Length': String(end - start + 1),
    'Content-Disposition': contentDisposition('attachment', file.filename),
    'X-Content-Type-Options': 'nosniff',
    ...(range === 'whole' ? {} : { 'Content-Range': `bytes ${start}-${end}/${byteLength}` }),
  })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const body = Readable.from(bytesOf(ipfs, list, { start, end }, gone.signal), { objectMode: false })
  try {
    await pipeline(body, response)
  } catch (error) {
    // The headers are out: all that can be told now is that the rest will not come.
    response.destroy()
    if (!gone.signal.aborted) throw error
  }
}

/** @param range both ends included */
async function* bytesOf(
  ipfs: Pick<IpfsNode, 'get'>,
  { blocks }: LoadedOriginal,
  { start, end }: { start: number; end: number },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let place = 0
  for (const [byteLength, { '/': cid }] of blocks) {
    const [from, to] = [Math.max(0, start - place), Math.min(byteLength, end + 1 - place)]
    place += byteLength
    if (from >= to) continue
    const bytes = await ipfs.get(cid, { signal })
    if (bytes.length !== byteLength) throw new IncompleteTrack(cid, `block ${cid} has another length`)
    yield bytes.subarray(from, to)
  }
}

async function trackOf(
  manifest: string,
  ipfs: Pick<IpfsNode, 'get'>,
  takedowns: Pick<Takedowns, 'requireServed'> | undefined,
): Promise<LoadedTrack> {
  if (!isCid(manifest)) {
    throw new Problem({
      status: 400,
      slug: 'malformed-cid',
      detail: `${manifest.slice(0, 100)} is not a CID of this network`,
    })
  }
  takedowns?.requireServed(manifest)
  try {
    return await loadLocalTrack(ipfs, manifest)
  } catch (cause) {
    if (cause instanceof IncompleteTrack) {
      throw new Problem({
        status: 404,
        slug: 'not-held-here',
        detail: `this node does not hold ${manifest}`,
        cause,
      })
    }
    if (cause instanceof ManifestError || cause instanceof CidError) {
      const detail = `${manifest} is not the manifest of a track: ${cause.message}`
      throw new Problem({ status: 400, slug: 'not-a-track', detail, cause })
    }
    throw cause
  }
}
