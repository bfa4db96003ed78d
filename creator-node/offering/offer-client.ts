import { FetchBlocked, FetchFailed } from '@hexachord/platform/http'
import { checked } from '@hexachord/protocol/checked'
import { type Hash, hashSchema } from '@hexachord/protocol/names'
import { type Offer, type OfferState, offerStateSchema } from '@hexachord/protocol/offers'
import { problemSchema } from '@hexachord/protocol/rest'
import type { NodeClient } from '@hexachord/storage/peers'
import * as z from 'zod'

/** The operator does not take the offer, and will not if asked again. */
export class OfferRefused extends Error {
  override readonly name = 'OfferRefused'
}

/** The operator cannot be reached, or cannot take the offer now; later it may. */
export class OperatorUnavailable extends Error {
  override readonly name = 'OperatorUnavailable'
}

/** The operator does not know the offer (any more). */
export class OfferUnknown extends Error {
  override readonly name = 'OfferUnknown'
}

/** How other operators are asked to hold a track. Rejects with the errors above or the signal's reason. */
export type OfferClient = {
  /** @returns the offer's name there */
  send(endpoint: string, offer: Offer, signal: AbortSignal): Promise<Hash>
  /** Waits up to `waitMs` for the offer to come to an end. */
  state(endpoint: string, offer: Hash, waitMs: number, signal: AbortSignal): Promise<OfferState>
}

const answerMs = 10_000
const answerBytes = 64 * 1024
const takenSchema = z.object({ offer: hashSchema })

/** Refusals that stand: what is wrong with an offer today is wrong with it tomorrow. */
const lasting = new Set([400, 401, 403, 404, 409, 413, 422])

export function createOfferClient(client: NodeClient): OfferClient {
  async function ask<T>(
    endpoint: string,
    path: string,
    schema: z.ZodType<T>,
    request: { json?: unknown; timeoutMs: number; signal: AbortSignal },
  ): Promise<T> {
    const { status, body } = await read(endpoint, path, request)
    if (status >= 200 && status < 300) {
      const parsed = checked(schema, body)
      if (parsed.success) return parsed.data
      throw new OperatorUnavailable(`${endpoint} answers in another form than agreed`)
    }
    const problem = checked(problemSchema, body)
    const detail = problem.data?.detail ?? problem.data?.title ?? `status ${status}`
    if (request.json === undefined && status === 404) throw new OfferUnknown(detail)
    if (lasting.has(status)) throw new OfferRefused(detail.slice(0, 300))
    throw new OperatorUnavailable(detail.slice(0, 300))
  }

  async function read(
    endpoint: string,
    path: string,
    request: { json?: unknown; timeoutMs: number; signal: AbortSignal },
  ): Promise<{ status: number; body: unknown }> {
    try {
      const response = await client(endpoint, path, { ...request, maxBytes: answerBytes })
      return { status: response.status, body: jsonOf(await response.text()) }
    } catch (cause) {
      if (cause instanceof FetchBlocked) throw new OfferRefused(cause.message, { cause })
      if (cause instanceof FetchFailed) throw new OperatorUnavailable(cause.message, { cause })
      throw cause
    }
  }

  return {
    async send(endpoint, offer, signal) {
      const request = { json: offer, timeoutMs: answerMs, signal }
      return (await ask(endpoint, '/offers', takenSchema, request)).offer
    },
    state(endpoint, offer, waitMs, signal) {
      const request = { timeoutMs: waitMs + answerMs, signal }
      return ask(endpoint, `/offers/${offer}?wait=${waitMs}`, offerStateSchema, request)
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
