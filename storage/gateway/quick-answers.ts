import type { IncomingMessage, ServerResponse } from 'node:http'
import type { QuickAnswer, QuickRoute } from '@hexachord/platform/http'
import { LRUCache } from 'lru-cache'
import type { Gate, PaidRequest } from './gate.ts'
import { takeSession } from './session-parameter.ts'

/** Answers for hot blocks, each put together once by the routes and then given again as it was. */
export type QuickAnswers = QuickRoute & {
  /** Called when all headers of a whole answer to a GET are set, before it is sent. */
  remember(request: IncomingMessage, response: ServerResponse, block: { cid: string; isPaid: boolean }): void
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

/** What names an answer: nothing but the URL without its session, and what the caller accepts. Undefined for all but
 * plain requests. */
function keyOf({ method, headers }: IncomingMessage, url: string): string | undefined {
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
  gate: Gate | undefined
}): QuickAnswers {
  const { route, hot, isDenied, gate } = options
  const known = new LRUCache<string, { cid: string; isPaid: boolean; headers: readonly string[] }>({
    max: answersKept,
  })

  async function paid(asked: PaidRequest, headers: readonly string[], body: Uint8Array) {
    const own = await gate?.admit(asked, body.length)
    return { headers, ownHeaders: Object.entries(own ?? {}).flat(), body }
  }

  return {
    route,
    answerTo(request): QuickAnswer | Promise<QuickAnswer> | undefined {
      const { url, session } = takeSession(request.url ?? '')
      const key = keyOf(request, url)
      const found = key === undefined ? undefined : known.get(key)
      if (found === undefined || isDenied(found.cid)) return undefined
      const { cid, headers, isPaid } = found
      const body = hot(cid)
      if (body === undefined) return undefined
      if (gate === undefined) return { headers, body }
      // What became free or paid since has other headers.
      if (gate.isPaid(cid) !== isPaid) return undefined
      if (isPaid) return paid({ request, cid, session, isHead: false }, headers, body)
      return gate.takeFree(request, body.length) ? { headers, body } : undefined
    },
    remember(request, response, block) {
      const key = keyOf(request, takeSession(request.url ?? '').url)
      if (key === undefined) return
      const headers = namesOf(response)
        .filter((name) => name.toLowerCase() !== 'x-request-id')
        .flatMap((name) => [name, String(response.getHeader(name))])
      known.set(key, { ...block, headers })
    },
  }
}
