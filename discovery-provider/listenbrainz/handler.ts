import { clientOf, problemOf, requestContext } from '@hexachord/platform/http'
import type { Postgres } from '@hexachord/platform/postgres'
import { checked } from '@hexachord/protocol/checked'
import express, { type ErrorRequestHandler, type Request, type RequestHandler, Router } from 'express'
import { howToGetAppPassword, type Login, type Logins, retryAfterSeconds } from '../app-passwords/index.ts'
import { isDatabaseAway } from '../indexing/index.ts'
import type { PlayCounter } from '../plays/index.ts'
import { findTracks } from './find-tracks.ts'
import { namedIn, submissionSchema } from './listens.ts'

/** A thousand listens, some of them wordy. */
const bodyLimit = '2mb'

type Parts = {
  readonly postgres: Postgres
  readonly logins: Logins
  readonly plays: PlayCounter
  /** ms since 1970 */
  readonly now: () => number
}

/** A request that ListenBrainz would answer with an error. */
class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * What players that scrobble to ListenBrainz need, to be served under `/1`: they tell what was heard, and it is counted
 * by track and day, as plays of other players are. Nobody's listens are kept, so that none can be read again.
 * https://listenbrainz.readthedocs.io/en/latest/users/api/core.html
 */
export function createListenBrainz({ postgres, logins, plays, now }: Parts): RequestHandler {
  /** By `Authorization: Token <app password>`. */
  async function loginOf(request: Request): Promise<Login | 'wrong'> {
    const [, token] = /^token +([\w-]{1,100})$/i.exec(request.get('authorization')?.trim() ?? '') ?? []
    if (token === undefined) {
      throw new Refusal(
        401,
        `the header 'Authorization: Token <app password>' is missing: ${howToGetAppPassword}`,
      )
    }
    const login = await logins.logIn({ apiKey: token }, request.ip)
    if (login !== 'tooMany') return login
    request.res?.set('Retry-After', String(retryAfterSeconds))
    throw new Refusal(429, 'too many failed logins: try again in a minute')
  }

  const router = Router()
  router.use((_, response, next) => {
    response.set('Cache-Control', 'no-store')
    next()
  })
  router.get('/validate-token', async (request, response) => {
    const login = await loginOf(request)
    const answer =
      login === 'wrong'
        ? { code: 200, message: 'Token invalid.', valid: false }
        : { code: 200, message: 'Token valid.', valid: true, user_name: login.username }
    response.json(answer)
  })
  // Who may not write is told so before the body is read.
  router.post('/submit-listens', async (request, response, next) => {
    const login = await loginOf(request)
    if (login === 'wrong') throw new Refusal(401, 'Invalid authorization token.')
    response.locals.login = login
    next()
  })
  router.post('/submit-listens', express.json({ limit: bodyLimit }), async (request, response) => {
    const submission = checked(submissionSchema, request.body)
    if (!submission.success) {
      const [issue] = submission.error.issues
      throw new Refusal(400, `${issue?.path.join('.')}: ${issue?.message}`)
    }
    const { listen_type: type, payload } = submission.data
    // What is being played just now is nobody's business.
    if (type !== 'playing_now') {
      const { passwordId } = response.locals.login as Login
      const heard = payload.map((listen) => ({
        what: namedIn(listen),
        playedAtMs: listen.listened_at === undefined ? undefined : listen.listened_at * 1000,
      }))
      const device = { passwordId, client: clientOf(request.ip) }
      await plays.count(device, heard, (names) => findTracks(postgres, names, now()))
    }
    response.json({ status: 'ok' })
  })
  router.use(() => {
    throw new Refusal(
      404,
      'of ListenBrainz there are submit-listens and validate-token here: listens are not kept',
    )
  })
  router.use(answerError)
  // A protocol of others, whose routes are no part of our document.
  return (request, response, next) => router(request, response, next)
}

const answerError: ErrorRequestHandler = (error, request, response, _next) => {
  const { status, message } = refusalOf(error, request)
  response.status(status).json({ code: status, error: message })
}

function refusalOf(error: unknown, request: Request): { status: number; message: string } {
  if (error instanceof Refusal) return error
  if (isDatabaseAway(error)) return { status: 503, message: 'the database does not answer; try again later' }
  const problem = problemOf(error)
  if (problem !== null) return problem
  const { id, logger } = requestContext(request)
  logger.error({ err: error }, 'request handler failed')
  return { status: 500, message: `something went wrong here; the operator finds it in the logs under ${id}` }
}
