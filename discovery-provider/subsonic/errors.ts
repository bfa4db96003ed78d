/** https://opensubsonic.netlify.app/docs/responses/error */
export const errorCodes = {
  generic: 0,
  missingParameter: 10,
  clientTooOld: 20,
  serverTooOld: 30,
  wrongLogin: 40,
  mechanismUnsupported: 42,
  conflictingMechanisms: 43,
  invalidApiKey: 44,
  notAuthorized: 50,
  notFound: 70,
} as const

export type ErrorName = keyof typeof errorCodes

/** A request that the protocol answers with an error, whose message is shown to the listener. Players read the body;
 * the status of HTTP is 200 unless asking again later can help. */
export class SubsonicError extends Error {
  override readonly name = 'SubsonicError'
  readonly code: number
  readonly status: number
  readonly retryAfterSeconds: number | undefined

  constructor(
    error: ErrorName,
    message: string,
    {
      status = 200,
      retryAfterSeconds,
      cause,
    }: { status?: number; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = errorCodes[error]
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}
