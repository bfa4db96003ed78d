import type { GuardedFetch } from '@hexachord/platform/http'
import type { Domain, Signer } from '@hexachord/protocol/signing'
import { createNodeToken } from '@hexachord/protocol/tokens'

export type NodeRequest = {
  /** @default GET, or POST with a body */
  readonly method?: string | undefined
  /** Sent as JSON. */
  readonly json?: unknown
  readonly signal?: AbortSignal | undefined
  /** From the call to the last byte of the answer. @default the fetch's own */
  readonly timeoutMs?: number | undefined
  /** Largest answer. @default the fetch's own */
  readonly maxBytes?: number | undefined
  /** @default application/json */
  readonly accept?: string | undefined
}

/** Sends a request to another node as this operator. Resolves with whatever status comes back; rejects as the guarded
 * fetch does.
 * @param origin the other node's registered endpoint
 * @param path with query, such as `/uploads/7/blocks?after=3` */
export type NodeClient = (origin: string, path: string, request?: NodeRequest) => Promise<Response>

/** Half of what is accepted: room for clocks that differ, none for a stolen header to be of use later. */
const tokenLifeMs = 30_000

/** A client whose every request is signed by the operator's hot key, for one node, method and path. */
export function createNodeClient(options: {
  hotKey: Signer
  domain: Domain
  fetch: GuardedFetch
  /** ms since 1970. */
  now: () => number
}): NodeClient {
  const { hotKey, domain, fetch, now } = options
  return async (origin, path, request = {}) => {
    const body = request.json === undefined ? undefined : JSON.stringify(request.json)
    const method = request.method ?? (body === undefined ? 'GET' : 'POST')
    const url = new URL(path, origin)
    // What is signed is what is sent, after the URL has been put into its normal form.
    const authorization = await createNodeToken(hotKey, domain, {
      audience: url.origin,
      method,
      path: url.pathname + url.search,
      expiresAt: now() + tokenLifeMs,
    })
    return fetch(url, {
      method,
      headers: {
        Accept: request.accept ?? 'application/json',
        Authorization: authorization,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
      ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
      ...(request.maxBytes === undefined ? {} : { maxBytes: request.maxBytes }),
    })
  }
}
