import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isSubject, type Subject } from '@hexachord/protocol/names'
import { playlistMediaType, segmentMediaType } from '@hexachord/protocol/playlists'
import { RetrievalFailed } from '@hexachord/protocol/retrieval'
import { ApiError, type Connection } from '../connect/index.ts'
import { PaymentNeeded } from '../paying/index.ts'
import { type OpenOptions, TrackLocked } from '../playing/index.ts'
import { createOpenedTracks, type OpenedTracks } from './opened-tracks.ts'

/** Players open a few connections each; more than these wait for one to end. */
const maximumConnections = 64
const requestTimeoutMs = 10_000
/** A web page may ask for any path of this machine, without end. */
const secretBytes = 16

export type BridgeOptions = {
  /** It listens on loopback only. @default any free one */
  readonly port?: number
  /** Hears of each source that failed or lied, also when another one then gave the block. */
  readonly onFault?: OpenOptions['onFault']
  /** Pays for what costs something, so that any player hears it. */
  readonly paying?: OpenOptions['paying']
  /** Shows key holders whose account listens, so that any player hears what is for followers, or holders of a token. */
  readonly pass?: OpenOptions['pass']
  /** Hears why a player was not given what it asked for of a track: players seldom show that. */
  readonly onFailure?: (track: Subject, error: unknown) => void
}

export type Bridge = {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** Under which all tracks are, with the secret: `http://127.0.0.1:<port>/<secret>/`. */
  readonly base: string
  /** What to give to a player: VLC, mpv, ffplay, MPD. Whoever has it can play all tracks, and have them paid, while the
   * bridge is open: it holds a secret, another one at each start. */
  urlOf(track: Subject): string
  close(): Promise<void>
}

/** A server on this machine for players without hooks: it answers HLS from verified blocks, so that such a
 * player too gets the next holder when one fails, and never a wrong byte.
 * `GET /<secret>/<track>/master.m3u8`, and there `<n>.m3u8` and `ipfs/<cid>/<filename>`. Web pages get nothing, since any
 * page can ask this machine for a track of its own, which is then paid.
 * @throws what listening throws, such as EADDRINUSE */
export async function startBridge(connection: Connection, options: BridgeOptions = {}): Promise<Bridge> {
  const { port = 0, onFailure, ...opening } = options
  const stop = new AbortController()
  const tracks = createOpenedTracks(connection, { ...opening, signal: stop.signal })
  const secret = randomBytes(secretBytes).toString('hex')
  const server = createServer((request, response) => {
    answer(request, response, { tracks, secret, onFailure }).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else send(response, statusOf(error), 'text/plain', `${messageOf(error)}\n`)
    })
  })
  server.maxConnections = maximumConnections
  server.requestTimeout = requestTimeoutMs
  server.headersTimeout = requestTimeoutMs
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const base = `${origin}/${secret}/`
  return {
    origin,
    base,
    urlOf: (track) => `${base}${track}/master.m3u8`,
    close: () => closeServer(server, stop),
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { tracks, secret, onFailure }: { tracks: OpenedTracks; secret: string } & Pick<BridgeOptions, 'onFailure'>,
): Promise<void> {
  // A web page may point a name of its own at this machine, and would then read what is answered here.
  if (!isLoopback(request.headers.host ?? '')) {
    return send(response, 421, 'text/plain', 'only requests to 127.0.0.1 or localhost are answered\n')
  }
  if (isOfOtherPage(request)) {
    return send(response, 403, 'text/plain', 'no web page is answered: this is for players on this machine\n')
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return send(response, 405, 'text/plain', 'only GET and HEAD\n', { allow: 'GET, HEAD' })
  }
  const [, given = '', subject = '', rest = '', cid = ''] = request.url?.split('?')[0]?.split('/') ?? []
  if (!isSame(given, secret) || !isSubject(subject)) {
    return send(response, 404, 'text/plain', 'expected: the URL of a track that the bridge has told\n')
  }
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  try {
    await answerOf(response, tracks, { subject, rest, cid, signal: gone.signal })
  } catch (error) {
    // Its holders may have changed since it was opened.
    if (error instanceof RetrievalFailed) tracks.forget(subject)
    if (!gone.signal.aborted) onFailure?.(subject, error)
    throw error
  }
}

async function answerOf(
  response: ServerResponse,
  tracks: OpenedTracks,
  { subject, rest, cid, signal }: { subject: Subject; rest: string; cid: string; signal: AbortSignal },
): Promise<void> {
  const { track, cids } = await tracks.open(subject)
  if (rest === 'master.m3u8') {
    const playlist = track.master((index) => `${index}.m3u8`)
    return send(response, 200, playlistMediaType, playlist)
  }
  const [, media] = /^(\d{1,2})\.m3u8$/.exec(rest) ?? []
  if (media !== undefined && Number(media) < track.loaded.renditions.length) {
    const playlist = track.media(Number(media), (block, filename) => `ipfs/${block}/${filename}`)
    return send(response, 200, playlistMediaType, playlist)
  }
  if (rest === 'ipfs' && cids.has(cid)) {
    const { bytes } = await track.block(cid, signal)
    return send(response, 200, segmentMediaType, bytes)
  }
  return send(response, 404, 'text/plain', 'the track has no such playlist or block\n')
}

/** Browsers say where a request is from; players say neither. A page that somebody opens by its address is their own. */
function isOfOtherPage({ headers }: IncomingMessage): boolean {
  const { host, origin, 'sec-fetch-site': site = 'none' } = headers
  return !['none', 'same-origin'].includes(String(site)) || (origin ?? `http://${host}`) !== `http://${host}`
}

function isSame(given: string, secret: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(secret)]
  return one.length === other.length && timingSafeEqual(one, other)
}

function isLoopback(host: string): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/i.test(host)
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const contentType = type.startsWith('text/') ? `${type}; charset=utf-8` : type
  response.writeHead(status, { ...headers, 'content-type': contentType, 'content-length': bytes.length })
  response.end(response.req.method === 'HEAD' ? undefined : bytes)
}

function statusOf(error: unknown): number {
  if (error instanceof ApiError && error.status >= 400) return error.status
  if (error instanceof PaymentNeeded) return 402
  if (error instanceof TrackLocked) return 403
  return 502
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function closeServer(server: Server, stop: AbortController): Promise<void> {
  stop.abort()
  const closed = new Promise<void>((resolve, reject) =>
    server.close((error) => (error ? reject(error) : resolve())),
  )
  server.closeAllConnections()
  await closed
}
