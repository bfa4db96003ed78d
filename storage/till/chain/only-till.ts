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
 * there in its place, or now and then does, as behind an address that is shared. Once it has seen another it stays shut
 * until it has seen nobody but itself for half an hour, and thirty times.
 */
export type OnlyTill = {
  /** Before whatever takes money, in a request or a part of one. @throws Problem 503 for as long as this is not the one till */
  requireOpen(): Promise<void>
  /** The same before routes. */
  readonly guard: RequestHandler
  /** `GET /pay/till`: which till this is, and which run of it: two may have been begun with one directory, and its copy. */
  readonly routes: Router
  /** Asks the own public URL who answers there; the first time, before which no money is taken, on several connections. */
  look(): Promise<void>
  /** Why no money is taken here; undefined while it is. */
  trouble(): string | undefined
}

const answerSchema = z.object({ till: z.string(), run: z.string().optional() })
const [lookTimeoutMs, answerBytes] = [5_000, 4_096]
/** Of two that share an address by turns or by chance the other is missed by all of them once in 32 times. */
const looksAtFirst = 5
/** How often, and for how long, a till has to see itself alone after it saw another. */
const [looksAlone, aloneMs] = [30, 30 * 60_000]

export function createOnlyTill(options: {
  /** Of this till; another has another. */
  name: string
  publicUrl: string
  operator: Address
  catalogue: Pick<Catalogue, 'operators'>
  fetch: GuardedFetch
  /** When another till was seen here last, in ms since 1970: kept through restarts. */
  otherSeen: { at(): number | undefined; set(atMs: number): void }
  logger: Logger
  signal: AbortSignal
  /** ms since 1970. */
  now: () => number
}): OnlyTill {
  const { name, publicUrl, operator, catalogue, fetch, otherSeen, logger, signal, now } = options
  const run = crypto.randomUUID()
  let otherAtMs = otherSeen.at()
  let isShut = otherAtMs !== undefined && now() - otherAtMs < aloneMs
  /** Looks since another was seen, or since the start. */
  let alone = 0
  let hasLooked = false
  /** Until it has been asked once who answers there, whoever pays waits: the other one may have been there first. */
  const looked = Promise.withResolvers<void>()

  function trouble(): string | undefined {
    const registered = catalogue.operators().get(operator)
    if (registered === undefined || originOf(registered.endpoint) !== publicUrl) {
      return `operator ${operator} is registered at ${registered?.endpoint ?? 'no address'}, and pays at no other than ${publicUrl}`
    }
    return isShut
      ? `another till of ${operator} has answered at ${publicUrl}: run one of them; it takes money once it has been alone there for half an hour`
      : undefined
  }

  /** @returns whether this till answers there; undefined where nobody does */
  async function askWhoAnswers(): Promise<boolean | undefined> {
    try {
      const response = await fetch(`${publicUrl}/pay/till`, {
        ...{ signal, timeoutMs: lookTimeoutMs, maxBytes: answerBytes },
      })
      const answer = parsed(answerSchema, await response.json())
      return answer.till === name && answer.run === run
    } catch (error) {
      // Many nodes cannot reach themselves from inside.
      if (error instanceof FetchFailed || error instanceof SyntaxError || error instanceof z.ZodError)
        return undefined
      throw error
    }
  }

  function note(isThis: boolean): void {
    if (isThis) {
      alone += 1
      if (!isShut || alone < looksAlone || now() - (otherAtMs ?? 0) < aloneMs) return
      isShut = false
      logger.info({ publicUrl }, 'no other till has answered here for half an hour: it takes money again')
      return
    }
    if (!isShut) logger.error({ publicUrl }, 'another till of this operator answers here: it is closed')
    isShut = true
    alone = 0
    otherAtMs = now()
    otherSeen.set(otherAtMs)
  }

  const routes = Router()
  routes.get('/pay/till', (_request, response) => {
    response.set('Cache-Control', 'no-store').json({ till: name, run })
  })

  async function requireOpen(): Promise<void> {
    await looked.promise
    const detail = trouble()
    if (detail === undefined) return
    const headers = { 'Retry-After': '60' }
    throw new Problem({ status: 503, slug: 'till-closed', title: 'Till closed', detail, headers })
  }

  return {
    ...{ routes, trouble, requireOpen },
    async guard(_request, _response, next) {
      await requireOpen()
      next()
    },
    async look() {
      try {
        // At once, so that each is a connection of its own.
        const asked = Array.from({ length: hasLooked ? 1 : looksAtFirst }, askWhoAnswers)
        hasLooked = true
        // As one look, if all of them see this one.
        const answers = (await Promise.all(asked)).filter((isThis) => isThis !== undefined)
        if (answers.length > 0) note(answers.every((isThis) => isThis))
      } finally {
        looked.resolve()
      }
    },
  }
}

function originOf(endpoint: string): string | undefined {
  return URL.parse(endpoint)?.origin
}
