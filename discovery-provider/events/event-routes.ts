import { once } from 'node:events'
import { clientOf, Problem, parse } from '@hexachord/platform/http'
import { type Request, type Response, Router } from 'express'
import * as z from 'zod'
import type { PlayNews } from '../plays/index.ts'
import type { Database } from '../reading/entity.ts'
import { isOwn } from '../reading/rate-limit.ts'
import { orDatabaseAway } from '../reading/route.ts'
import { type HeadWatch, type IndexHead, watchHead } from './head-watch.ts'
import { type Place, tracksAfter } from './new-tracks.ts'

/** Shorter than the idle time-outs of proxies. */
const heartbeatMs = 15_000
/** Each is a connection, and a query when there is news. */
const maximumListeners = 500
/** One client's, so that none keeps out all others: a household's, or an app's with a server of its own. */
const listenersPerClient = 20
/** After which a client that was cut off comes back. */
const retryMs = 3_000

const placeText = z
  .string()
  .regex(/^\d{1,15}-\d{1,15}$/, 'must be an id of an event, such as 1200-3')
  .transform((text): Place => {
    const [block, logIndex] = text.split('-').map(Number)
    return { block: block ?? 0, logIndex: logIndex ?? 0 }
  })

/** `after`: an id of an event. */
export const eventsQuery = z.object({ after: placeText.optional() })

/**
 * `GET /v1/events`: what is new, as server-sent events. `track` is a track that was published or changed, as under
 * `/v1/tracks/:id`; `state` how far the index is, and its state hash; `reorg` says that what was told of blocks after
 * `finalized` may be otherwise, and is told anew; `plays` how often a listed track has been played on a day by now, when
 * this process has counted more: of whom, nobody knows. Ids are places on the chain: after Last-Event-ID, or `?after=` one,
 * everything later is told, and what was not final then once more, so that nothing is missed. Without either, what comes
 * from now on. Plays have no id, and who does not keep up misses some. A scheduled track is told of only to whoever asks
 * from a place before it once it is out: that its time has come is no event, since nothing happens on the chain then;
 * `/v1/tracks` has it from that time on.
 * @param options.playNews of this process
 * @param options.now the clock by which tracks are out, in ms
 * @param options.signal ends all streams
 */
export function eventRoutes({
  database,
  playNews,
  now,
  signal,
}: {
  database: Database
  playNews: Pick<PlayNews, 'listen'>
  now: () => number
  signal?: AbortSignal | undefined
}): Router {
  const watch = watchHead(database, () => performance.now())
  const listeners = new Map<string, number>()
  const router = Router()
  router.get('/v1/events', async (request, response) => {
    const { after } = parse(eventsQuery, {
      after: request.get('last-event-id') || request.query.after,
    })
    const client = clientOf(request.ip)
    const ofClient = listeners.get(client) ?? 0
    if (ofClient >= listenersPerClient && !isOwn(request.ip)) throw tooMany()
    if ([...listeners.values()].reduce((sum, count) => sum + count, 0) >= maximumListeners) throw crowded()
    listeners.set(client, ofClient + 1)
    try {
      await stream(request, response, { database, playNews, now, watch, after, signal })
    } finally {
      const left = (listeners.get(client) ?? 0) - 1
      if (left > 0) listeners.set(client, left)
      else listeners.delete(client)
    }
  })
  return router
}

async function stream(
  request: Request,
  response: Response,
  {
    database,
    playNews,
    now,
    watch,
    after,
    signal,
  }: {
    database: Database
    playNews: Pick<PlayNews, 'listen'>
    now: () => number
    watch: HeadWatch
    after: Place | undefined
    signal: AbortSignal | undefined
  },
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const ended = signal === undefined ? gone.signal : AbortSignal.any([signal, gone.signal])
  // What cannot be read is said before the answer begins.
  let head = await watch.current().catch(orDatabaseAway)
  // Blocks after that one had no logs; others in their place may have.
  let place = after === undefined ? endOf(head.stateHashBlock) : safe(after, head)
  response.set({
    'Cache-Control': 'no-store',
    'Content-Type': 'text/event-stream; charset=utf-8',
    // Proxies must not wait for a buffer to fill.
    'X-Accel-Buffering': 'no',
  })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const send = (text: string) => write(response, text, ended)
  const tellState = () => send(eventOf('state', place, stateOf(head)))
  await send(`retry: ${retryMs}\n\n`)
  const endPlays = playNews.listen((counted) => {
    if (ended.aborted || response.writableNeedDrain) return
    response.write(counted.map((plays) => `event: plays\ndata: ${JSON.stringify(plays)}\n\n`).join(''))
  })
  ended.addEventListener('abort', endPlays, { once: true })
  for (let isNews = true; !ended.aborted; ) {
    for (let more = isNews; more && !ended.aborted; ) {
      // Nothing of blocks whose replacement would not be noticed, because they were never looked at.
      const found = await tracksAfter(database, place, head.indexed, now())
      for (const { place: at, track } of found.news) await send(eventOf('track', at, track))
      place = found.upTo
      more = found.more
    }
    await tellState()
    let next: IndexHead | undefined
    while (next === undefined && !ended.aborted) {
      next = await watch.next(head, heartbeatMs, ended)
      if (next === undefined) await send(': still here\n\n')
    }
    if (next === undefined) break
    if (next.turns !== head.turns) {
      place = safe(place, head)
      await send(eventOf('reorg', place, { finalized: head.finalized }))
    }
    // Blocks without logs leave the hash as it is: then there is nothing to ask the database for.
    isNews = next.stateHash !== head.stateHash || next.turns !== head.turns
    head = next
  }
  response.end()
}

/** From where nothing can be otherwise than it was told. */
function safe(place: Place, { finalized }: IndexHead): Place {
  return place.block > finalized ? endOf(finalized) : place
}

/** After everything in a block. */
function endOf(block: number): Place {
  return { block, logIndex: 999_999_999_999_999 }
}

function stateOf({ indexed, finalized, stateHash, stateHashBlock, rulesVersion }: IndexHead) {
  return { indexed, finalized, stateHash, stateHashBlock, rulesVersion }
}

function eventOf(name: string, { block, logIndex }: Place, data: unknown): string {
  return `event: ${name}\nid: ${block}-${logIndex}\ndata: ${JSON.stringify(data)}\n\n`
}

/** Writes, and waits while the listener is slower than we are: at most one event waits for him. */
async function write(response: Response, text: string, ended: AbortSignal): Promise<void> {
  if (ended.aborted || response.write(text)) return
  await once(response, 'drain', { signal: ended }).catch((error: unknown) => {
    if (!ended.aborted) throw error
  })
}

function tooMany(): Problem {
  return new Problem({
    status: 429,
    slug: 'too-many-requests',
    detail: `${listenersPerClient} connections of one client listen to events here already: end one of them first`,
    headers: { 'Retry-After': '30' },
  })
}

function crowded(): Problem {
  return new Problem({
    status: 503,
    slug: 'too-many-listeners',
    detail: `${maximumListeners} others listen to events here already; try again later, or at another provider`,
    headers: { 'Retry-After': '30' },
  })
}
