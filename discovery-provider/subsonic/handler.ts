import { parse } from 'node:querystring'
import { clientOf, type Problem, problemOf, requestContext } from '@hexachord/platform/http'
import { ActionError } from '@hexachord/protocol/actions'
import express, { type Request, type RequestHandler, type Response } from 'express'
import { isDatabaseAway } from '../indexing/index.ts'
import { accountMethods, listExtensions } from './account.ts'
import type { Fields } from './answer.ts'
import type { Authenticate } from './authenticate.ts'
import { browsingMethods } from './browsing.ts'
import { emptyMethods } from './empty.ts'
import { SubsonicError } from './errors.ts'
import { listMethods } from './lists.ts'
import type { Answer, Methods, SubsonicParts } from './method.ts'
import { type Parameters, readParameters } from './parameters.ts'
import { playingMethods } from './playing.ts'
import { playlistMethods } from './playlists.ts'
import { type Format, formatOf, protocolVersion, render } from './render.ts'
import { searchingMethods } from './searching.ts'
import { similarMethods } from './similar.ts'
import { writingMethods } from './writing.ts'

/** Of a form. It holds at most the songs of the longest playlist, some 90 bytes each, put in and taken out. */
const formLimit = '512kb'

/** The one method that is for everybody. */
const openMethod = 'getOpenSubsonicExtensions'

/** All that are for who has logged in. */
export function methodsOf(parts: SubsonicParts): Methods {
  return {
    ...accountMethods(parts),
    ...browsingMethods(parts),
    ...listMethods(parts),
    ...searchingMethods(parts),
    ...playlistMethods(parts),
    ...playingMethods(parts),
    ...similarMethods(parts),
    ...emptyMethods(parts),
    ...writingMethods(parts),
  }
}

/** `/rest`: the OpenSubsonic API, as `/rest/ping` and `/rest/ping.view`, asked by a query or a form. All answers, also
 * to what is wrong, have the protocol's own form. */
export function subsonicHandler(
  parts: SubsonicParts,
  { authenticate, serverVersion }: { authenticate: Authenticate; serverVersion: string },
): RequestHandler {
  const methods = methodsOf(parts)

  async function answer(request: Request, parameters: Parameters): Promise<Answer> {
    const name = request.path.slice(1).replace(/\.view$/, '')
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined
    if (method === undefined && name !== openMethod) {
      throw new SubsonicError('generic', `this server has no method '${name.slice(0, 60)}'`, { status: 404 })
    }
    // Metrics have a series per method.
    request.route = { path: `/${name}` }
    if (method === undefined) return listExtensions()
    checkVersion(parameters)
    parameters.required('c')
    const { ip: address } = request
    const login = await authenticate(parameters, { address, authorization: request.get('authorization') })
    return method({ parameters, login, client: clientOf(address) })
  }

  return async (request, response) => {
    response.set('Cache-Control', 'no-store')
    let format: Format = { name: 'xml' }
    const send = (status: 'ok' | 'failed', fields: Fields) => {
      const { type, body } = render({ format, serverVersion }, status, fields)
      response.type(type).send(body)
    }
    try {
      // A form that is too long to be read is complained about in the form that the query asks for.
      format = formatOf(readParameters(request.query))
      const form = await readForm(request, response)
      const parameters = readParameters(request.query, form)
      format = formatOf(parameters)
      const result = await answer(request, parameters)
      if ('location' in result && result.location instanceof URL) response.redirect(302, result.location.href)
      else send('ok', result as Fields)
    } catch (cause) {
      const error = subsonicErrorOf(cause, request)
      if (error.retryAfterSeconds !== undefined) response.set('Retry-After', String(error.retryAfterSeconds))
      response.status(error.status)
      send('failed', { error: { code: error.code, message: error.message } })
    }
  }
}

const readText = express.text({ type: 'application/x-www-form-urlencoded', limit: formLimit })

/** The fields of a form; nothing for other requests. @throws SubsonicError for methods that are none of the protocol's */
async function readForm(request: Request, response: Response): Promise<unknown> {
  if (request.method === 'GET' || request.method === 'HEAD') return undefined
  if (request.method !== 'POST') {
    response.set('Allow', 'GET, HEAD, POST')
    throw new SubsonicError('generic', `${request.method} is not spoken here, but GET and POST`, {
      status: 405,
    })
  }
  await new Promise<void>((resolve, reject) => {
    readText(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)))
  })
  // However many they are: who asks for too many is told so in the form that it asks for.
  return typeof request.body === 'string' ? parse(request.body, '&', '=', { maxKeys: 0 }) : undefined
}

/** Major versions must agree, and a server must not be older than its client. */
function checkVersion(parameters: Parameters): void {
  const version = parameters.required('v')
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?$/.exec(version) ?? []
  if (major === undefined || minor === undefined) {
    throw new SubsonicError('generic', "'v' must be a version such as 1.16.1")
  }
  const [ourMajor, ourMinor] = protocolVersion.split('.').map(Number) as [number, number]
  if (Number(major) < ourMajor)
    throw new SubsonicError('clientTooOld', `version ${version} is no more spoken here`)
  if (Number(major) > ourMajor || Number(minor) > ourMinor) {
    throw new SubsonicError(
      'serverTooOld',
      `version ${version} is not spoken here yet, but ${protocolVersion}`,
    )
  }
}

function subsonicErrorOf(error: unknown, request: Request): SubsonicError {
  if (error instanceof SubsonicError) return error
  if (isDatabaseAway(error)) {
    const message = 'the database does not answer, or not in time; try again in a few seconds'
    return new SubsonicError('generic', message, { status: 503, retryAfterSeconds: 5, cause: error })
  }
  // Only what a request has said can be malformed in what is signed for it.
  if (error instanceof ActionError) return new SubsonicError('generic', error.message, { cause: error })
  const problem = problemOf(error)
  if (problem !== null) return subsonicErrorOfProblem(problem)
  const { id, logger } = requestContext(request)
  logger.error({ err: error }, 'request handler failed')
  const message = `something went wrong here, not in the request; the operator finds it in the logs under ${id}`
  return new SubsonicError('generic', message, { status: 500, cause: error })
}

function subsonicErrorOfProblem(problem: Problem): SubsonicError {
  const { status, message } = problem
  if (status === 403) return new SubsonicError('notAuthorized', message, { cause: problem })
  if (status === 404 || status === 410) return new SubsonicError('notFound', message, { cause: problem })
  const retryAfterSeconds = Number(problem.headers['Retry-After'])
  return new SubsonicError('generic', message, {
    status,
    ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
    cause: problem,
  })
}
