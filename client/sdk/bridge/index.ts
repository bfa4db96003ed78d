import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isCid } from '@hexachord/protocol/cids'
import { isSubject, type Subject } from '@hexachord/protocol/names'
import { playlistMediaType, segmentMediaType } from '@hexachord/protocol/playlists'
import { ApiError, type Connection } from '../connect/index.ts'
import { findTrack } from '../finding/index.ts'
import { type OpenedTrack, type OpenOptions, openTrack } from '../playing/index.ts'

/** Tracks that are kept open; the least recently used one goes first. */
const maximumOpen = 50

export type Bridge = {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** What to give to a player: VLC, mpv, ffplay, MPD. */
  urlOf(track: Subject): string
  close(): Promise<void>
}

/** A server on this machine for players without hooks: it answers HLS from verified blocks, so that such a
 * player too gets the next holder when one fails, and never a wrong byte.
 * `GET /<track>/master.m3u8`, `/<track>/<n>.m3u8`, `/<track>/ipfs/<cid>/<filename>`.
 * @param port default: any free one; it listens on loopback only */
export async function startBridge(
  connection: Connection,
  { port = 0, onFault }: { port?: number; onFault?: OpenOptions['onFault'] } = {},
): Promise<Bridge> {
  const opened = new Map<Subject, Promise<OpenedTrack>>()
  const stop = new AbortController()
  const open = (subject: Subject): Promise<OpenedTrack> => {
    const known = opened.get(subject)
    opened.delete(subject)
    const track =
      known ??
      findTrack(connection, subject, { signal: stop.signal }).then((found) =>
        openTrack(connection, found, { signal: stop.signal, ...(onFault ? { onFault } : {}) }),
      )
    opened.set(subject, track)
    // One that failed is not kept: the next request tries again.
    track.catch(() => opened.delete(subject))
    const [oldest] = opened.keys()
    if (opened.size > maximumOpen && oldest) opened.delete(oldest)
    return track
  }
  const server = createServer((request, response) => {
    answer(request, response, open).catch((error: unknown) => {
      const status = error instanceof ApiError && error.status >= 400 ? error.status : 502
      const detail = error instanceof Error ? error.message : String(error)
      if (response.headersSent) response.destroy()
      else send(response, status, 'text/plain; charset=utf-8', `${detail}\n`)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    urlOf: (track) => `${origin}/${track}/master.m3u8`,
    close: () => closeServer(server, stop),
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  open: (subject: Subject) => Promise<OpenedTrack>,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return send(response, 405, 'text/plain', 'only GET and HEAD\n')
  }
  const [, subject = '', rest = '', cid = ''] = (request.url ?? '').split('?')[0]?.split('/') ?? []
  if (!isSubject(subject)) return send(response, 404, 'text/plain', 'expected: /<track id>/master.m3u8\n')
  const track = await open(subject)
  if (rest === 'master.m3u8') {
    return send(
      response,
      200,
      playlistMediaType,
      track.master((index) => `${index}.m3u8`),
    )
  }
  const [, media] = /^(\d{1,2})\.m3u8$/.exec(rest) ?? []
  if (media !== undefined && Number(media) < track.loaded.renditions.length) {
    const playlist = track.media(Number(media), (block, filename) => `ipfs/${block}/${filename}`)
    return send(response, 200, playlistMediaType, playlist)
  }
  if (rest === 'ipfs' && isCid(cid)) {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const { bytes } = await track.block(cid, gone.signal)
    return send(response, 200, segmentMediaType, bytes)
  }
  return send(response, 404, 'text/plain', 'the track has no such playlist or block\n')
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length })
  response.end(response.req.method === 'HEAD' ? undefined : bytes)
}

async function closeServer(server: Server, stop: AbortController): Promise<void> {
  stop.abort()
  const closed = new Promise<void>((resolve, reject) =>
    server.close((error) => (error ? reject(error) : resolve())),
  )
  server.closeAllConnections()
  await closed
}
