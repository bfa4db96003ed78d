import {
  type Attempt,
  howToGetAppPassword as howToGetOne,
  type Login,
  type Logins,
  retryAfterSeconds,
} from '../app-passwords/index.ts'
import { SubsonicError } from './errors.ts'
import type { Parameters } from './parameters.ts'

/** Who asks, by whichever of the protocol's mechanisms. */
export type Authenticate = (
  parameters: Parameters,
  request: { readonly address: string | undefined; readonly authorization: string | undefined },
) => Promise<Login>

export function createAuthenticate(logins: Logins): Authenticate {
  return async (parameters, { address, authorization }) => {
    const attempt = attemptOf(parameters, authorization)
    const login = await logins.logIn(attempt, address)
    if (login === 'tooMany') {
      throw new SubsonicError('wrongLogin', 'too many failed logins: try again in a minute', {
        status: 429,
        retryAfterSeconds,
      })
    }
    if (login !== 'wrong') return login
    if ('apiKey' in attempt)
      throw new SubsonicError('invalidApiKey', `this API key opens nothing: ${howToGetOne}`)
    throw new SubsonicError('wrongLogin', `wrong user name or password: ${howToGetOne}`)
  }
}

/** https://opensubsonic.netlify.app/docs/extensions/apikeyauth */
function attemptOf(parameters: Parameters, authorization: string | undefined): Attempt {
  const [apiKey, name, password, token, salt] = ['apiKey', 'u', 'p', 't', 's'].map((one) =>
    parameters.text(one),
  )
  if (apiKey !== undefined) {
    if ([name, password, token, salt].some((other) => other !== undefined)) {
      throw new SubsonicError(
        'conflictingMechanisms',
        "beside 'apiKey' none of 'u', 'p', 't' and 's' may be given",
      )
    }
    return { apiKey }
  }
  if (password !== undefined && token !== undefined) {
    throw new SubsonicError('conflictingMechanisms', "either 'p' may be given, or 't' and 's'")
  }
  if (name === undefined) {
    if (authorization !== undefined && password === undefined && token === undefined) {
      throw new SubsonicError(
        'mechanismUnsupported',
        `the header Authorization opens nothing here: ${howToGetOne}`,
      )
    }
    throw new SubsonicError('missingParameter', "the parameter 'u' is missing, or 'apiKey'")
  }
  if (password !== undefined) return { name, proof: { password: plain(password) } }
  if (token !== undefined && salt !== undefined) return { name, proof: { token, salt } }
  throw new SubsonicError('missingParameter', "the parameters 't' and 's' are missing, or 'p'")
}

/** Players may write a password as `enc:` and the hex digits of its UTF-8. */
function plain(password: string): string {
  const [, hex] = /^enc:((?:[0-9a-f]{2})+)$/i.exec(password) ?? []
  return hex === undefined ? password : Buffer.from(hex, 'hex').toString('utf8')
}
