import type { GuardedRequestInit, WholeAnswer, WholeFetch, WholeInit } from '@hexachord/platform/http'
import type { Domain, Signer } from '@hexachord/protocol/signing'
import { blocksPath, createNodeToken } from '@hexachord/protocol/tokens'
import { LRUCache } from 'lru-cache'

/** Well below what is accepted, so that clocks may differ. */
const tokenLifeMs = 45_000
/** What is left of a token that is still used: time for a request to arrive. */
const leastLeftMs = 15_000
const originsKept = 512

/**
 * A fetch that says, where it asks for blocks, that this operator asks: other nodes give them for nothing then, paid ones,
 * too. One signature serves for all blocks of an origin for half a minute. Everything else is fetched as it is.
 * @param options.fetch does it, and is closed by its owner
 */
export function createPeerFetch(options: {
  hotKey: Signer
  domain: Domain
  fetch: WholeFetch
  /** ms since 1970. */
  now: () => number
}): WholeFetch {
  const { hotKey, domain, fetch, now } = options
  const tokens = new LRUCache<string, { header: Promise<string>; until: number }>({ max: originsKept })

  function tokenFor(audience: string): Promise<string> {
    const known = tokens.get(audience)
    if (known !== undefined && now() < known.until) return known.header
    const expiresAt = now() + tokenLifeMs
    const header = createNodeToken(hotKey, domain, { audience, method: 'GET', path: blocksPath, expiresAt })
    tokens.set(audience, { header, until: expiresAt - leastLeftMs })
    return header
  }

  async function signed(input: string | URL | Request, init: GuardedRequestInit = {}): Promise<Response> {
    const url = new URL(input instanceof Request ? input.url : input)
    const isRead = input instanceof Request ? input.method === 'GET' : (init.method ?? 'GET') === 'GET'
    if (!isRead || !url.pathname.startsWith(blocksPath)) return fetch(input, init)
    const headers = new Headers(init.headers)
    headers.set('Authorization', await tokenFor(url.origin))
    return fetch(input, { ...init, headers })
  }

  async function whole(input: string, init: WholeInit): Promise<WholeAnswer> {
    const url = new URL(input)
    if (!url.pathname.startsWith(blocksPath)) return fetch.whole(input, init)
    const headers = { ...init.headers, authorization: await tokenFor(url.origin) }
    return fetch.whole(input, { ...init, headers })
  }

  return Object.assign(signed, { whole, close: async () => {} })
}
