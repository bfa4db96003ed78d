import type { IncomingMessage, ServerResponse } from 'node:http'
import type { QuickAnswer, QuickRoute } from '@hexachord/platform/http'
import { LRUCache } from 'lru-cache'

/** Answers for hot blocks, each put together once by the routes and then given again as it was. */
export type QuickAnswers = QuickRoute & {
  /** Called when all headers of a whole answer to a GET are set, before it is sent. */
  remember(request: IncomingMessage, response: ServerResponse, cid: string): void
}

/** As many blocks as a large cache has; the headers of each take about 2 kB. */
const answersKept = 8_192

/** URLs of players are shorter; longer ones take the long way. */
const longestKey = 600

/** With one of these an answer is not what the URL and Accept alone make it, or has to be thought about. */
const decisiveHeaders = [
  'range',
  'if-none-match',
  'cache-control',
  'service-worker',
  'content-length',
  'transfer-encoding',
]

/** What names an answer: nothing but the URL and what the caller accepts. Undefined for all but plain requests. */
function keyOf({ method, url = '', headers }: IncomingMessage): string | undefined {
  if (method !== 'GET') return undefined
  for (const name of decisiveHeaders) if (headers[name] !== undefined) return undefined
  const { accept } = headers
  const key = accept === undefined ? url : `${url} ${accept}`
  return key.length > longestKey ? undefined : key
}

/** As they were written. Node's types know of this only where requests are sent. */
function namesOf(response: ServerResponse): string[] {
  return (response as ServerResponse & { getRawHeaderNames(): string[] }).getRawHeaderNames()
}

/**
 * @param options.route as it stands in metrics
 * @param options.hot the bytes of a block that is in memory
 */
export function createQuickAnswers(options: {
  route: string
  hot: (cid: string) => Uint8Array | undefined
  isDenied: (cid: string) => boolean
}): QuickAnswers {
  const { route, hot, isDenied } = options
  const known = new LRUCache<string, { cid: string; headers: readonly string[] }>({ max: answersKept })

  return {
    route,
    answerTo(request): QuickAnswer | undefined {
      const key = keyOf(request)
      const found = key === undefined ? undefined : known.get(key)
      if (found === undefined || isDenied(found.cid)) return undefined
      const body = hot(found.cid)
      return body === undefined ? undefined : { headers: found.headers, body }
    },
    remember(request, response, cid) {
      const key = keyOf(request)
      if (key === undefined) return
      const headers = namesOf(response)
        .filter((name) => name.toLowerCase() !== 'x-request-id')
        .flatMap((name) => [name, String(response.getHeader(name))])
      known.set(key, { cid, headers })
    },
  }
}
