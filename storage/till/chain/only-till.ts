import { FetchFailed, type GuardedFetch, Problem } from '@hexachord/platform/http'
import type { Logger } from '@hexachord/platform/process'
import { parsed } from '@hexachord/protocol/checked'
import type { Address } from '@hexachord/protocol/names'
import { type RequestHandler, Router } from 'express'
import * as z from 'zod'
import type { Catalogue } from '../../catalogue/index.ts'

/**
 * Sees to it that an operator has one till. Of two that take vouchers of the same channels each would redeem what kills
 * the other's: so a till takes money only where the registry says that the operator is, and not while another answers
 * there in its place.
 */
export type OnlyTill = {
  /** Throws Problem 503 for as long as this is not the one till; before the routes that take money. */
  readonly guard: RequestHandler
  /** `GET /pay/till`: which till this is. */
  readonly routes: Router
  /** Asks the own public URL who answers there. */
  look(): Promise<void>
  /** Why no money is taken here; undefined while it is. */
  trouble(): string | undefined
}

const answerSchema = z.object({ till: z.string() })
const [lookTimeoutMs, answerBytes] = [5_000, 4_096]

export function createOnlyTill(options: {
  /** Of this till; another has another. */
  name: string
  publicUrl: string
  operator: Address
  catalogue: Pick<Catalogue, 'operators'>
  fetch: GuardedFetch
  logger: Logger
  signal: AbortSignal
}): OnlyTill {
  const { name, publicUrl, operator, catalogue, fetch, logger, signal } = options
  let other: string | undefined
  /** Until it has been asked once who answers there, whoever pays waits: the other one may have been there first. */
  const looked = Promise.withResolvers<void>()

  function trouble(): string | undefined {
    const registered = catalogue.operators().get(operator)
    if (registered === undefined || originOf(registered.endpoint) !== publicUrl) {
      return `operator ${operator} is registered at ${registered?.endpoint ?? 'no address'}, and pays at no other than ${publicUrl}`
    }
    return other === undefined
      ? undefined
      : `another till of ${operator} answers at ${publicUrl}: run one of them`
  }

  const routes = Router()
  routes.get('/pay/till', (_request, response) => {
    response.set('Cache-Control', 'no-store').json({ till: name })
  })

  return {
    routes,
    trouble,
    async guard(_request, _response, next) {
      await looked.promise
      const detail = trouble()
      if (detail === undefined) next()
      else throw new Problem({ status: 503, slug: 'till-closed', title: 'Till closed', detail })
    },
    async look() {
      try {
        const response = await fetch(`${publicUrl}/pay/till`, {
          ...{ signal, timeoutMs: lookTimeoutMs, maxBytes: answerBytes },
        })
        const { till } = parsed(answerSchema, await response.json())
        if (till !== name && other !== till) {
          logger.error({ publicUrl, till }, 'another till of this operator answers here: it is closed')
        }
        other = till === name ? undefined : till
      } catch (error) {
        // Many nodes cannot reach themselves from inside.
        if (error instanceof FetchFailed || error instanceof SyntaxError || error instanceof z.ZodError)
          return
        throw error
      } finally {
        looked.resolve()
      }
    },
  }
}

function originOf(endpoint: string): string | undefined {
  return URL.parse(endpoint)?.origin
}
