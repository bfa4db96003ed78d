import type { Address } from '@hexachord/protocol/names'
import {
  type Payment,
  type SentOpening,
  type SentReserve,
  type SessionReport,
  sessionReportSchema,
  type TillOffer,
  tillJson,
  tillOfferSchema,
} from '@hexachord/protocol/payments'
import { type Domain, SignatureError, signerOf } from '@hexachord/protocol/signing'
import { type Http, readJson } from '../connect/index.ts'
import { NodeRefused } from './channel-report.ts'

/** A player waits for these; a node that takes longer is as good as away. */
const answerWithinMs = 5_000

/** An operator as the network's register has it. */
export type Operator = { readonly operator: Address; readonly endpoint: string; readonly hotKey: Address }

/** A node that takes payment, and on which conditions. */
export type HomeNode = {
  readonly operator: Address
  readonly origin: string
  readonly offer: TillOffer
  /** How long it took to say so. */
  readonly latencyMs: number
}

export type Till = {
  /** Where its voucher is refused the session opens all the same. */
  open(opening: SentOpening, signal?: AbortSignal): Promise<SessionReport>
  /** How a session stands. */
  session(session: string, signal?: AbortSignal): Promise<SessionReport>
  pay(payment: Payment, signal?: AbortSignal): Promise<SessionReport>
  reserve(reserve: SentReserve, signal?: AbortSignal): Promise<SessionReport>
}

/** Asks an operator's node for its offer.
 * @param domain of the escrow
 * @throws NodeRefused when its registered hot key did not sign it, or it is for another place, chain or time; ApiError */
export async function readOffer(
  http: Http,
  { operator, endpoint, hotKey }: Operator,
  { domain, now, signal }: { domain: Domain; now: () => number; signal?: AbortSignal | undefined },
): Promise<HomeNode> {
  const origin = new URL(endpoint).origin
  const startedAt = performance.now()
  const offer = await readJson(http, `${origin}/pay/offer`, tillOfferSchema, {
    timeoutMs: answerWithinMs,
    ...(signal ? { signal } : {}),
  })
  const { escrow, chainId, signature, ...message } = offer
  const fault = [
    offer.operator !== operator && 'names another operator',
    originOf(offer.endpoint) !== origin && 'is for another endpoint',
    (escrow !== domain.verifyingContract || chainId !== domain.chainId) && 'is for another escrow',
    offer.expiresAt <= now() && 'has expired',
    !isSignedBy(hotKey) && 'is not signed by the hot key that its operator registered',
  ].find((text) => text !== false)
  if (fault) throw new NodeRefused(`the offer of ${origin} ${fault}`)
  return { operator, origin, offer, latencyMs: performance.now() - startedAt }

  function isSignedBy(address: Address): boolean {
    try {
      return signerOf(domain, 'TillOffer', message, signature) === address
    } catch (error) {
      if (error instanceof SignatureError) return false
      throw error
    }
  }
}

/** Talks to a till. Bodies go out as `text/plain`, for which browsers ask no permission first. */
export function tillAt(http: Http, origin: string): Till {
  const ask = (path: string, init: RequestInit, signal: AbortSignal | undefined) =>
    readJson(http, `${origin}/pay/${path}`, sessionReportSchema, {
      ...{ ...init, timeoutMs: answerWithinMs, ...(signal ? { signal } : {}) },
    })
  const post = (path: string) => (message: object, signal?: AbortSignal) =>
    ask(path, { method: 'POST', body: tillJson(message), headers: { 'content-type': 'text/plain' } }, signal)
  return {
    open: post('sessions'),
    pay: post('vouchers'),
    reserve: post('reserves'),
    session: (session, signal) => ask(`sessions/${encodeURIComponent(session)}`, {}, signal),
  }
}

function originOf(url: string): string | undefined {
  return URL.parse(url)?.origin
}
