import { StorageFull } from '../ipfs-node.ts'

/** Kubo does not answer. It may later: nothing that was acknowledged is lost, and calls work again then. */
export class KuboUnavailable extends Error {
  override readonly name = 'KuboUnavailable'

  constructor(url: string, why: string, options?: ErrorOptions) {
    super(`Kubo at ${url} does not answer (${why}): start it, or see whether IPFS_API_URL is right`, options)
  }
}

/** Kubo does not let us in. */
export class KuboRefused extends Error {
  override readonly name = 'KuboRefused'

  constructor(url: string, options?: ErrorOptions) {
    super(
      `Kubo at ${url} refuses our calls: IPFS_API_SECRET_FILE must hold the AuthSecret of an entry of its API.Authorizations with AllowedPaths ["/api/v0"]`,
      options,
    )
  }
}

/** Kubo answered that it could not do what was asked. */
export class KuboFailed extends Error {
  override readonly name = 'KuboFailed'

  constructor(url: string, why: string, options?: ErrorOptions) {
    super(`Kubo at ${url} could not do it: ${why.slice(0, 300)}`, options)
  }
}

/** Whether the answer is that Kubo itself has no such block, or no such pin. */
export function notFoundLocally(error: unknown): boolean {
  return /block was not found locally|ipld: could not find|not pinned/.test(messageOf(error))
}

/** Whether Kubo keeps a block that it was asked to let go, since somebody else has pinned it. */
export function keptByOthers(error: unknown): boolean {
  return /^pinned(:| via)/.test(messageOf(error))
}

/** What went wrong with a call, as one of the errors above or as the interface names it. */
export function rpcFailure(url: string, error: unknown, { timedOut }: { timedOut: boolean }): Error {
  const { origin } = new URL(url)
  const message = messageOf(error)
  if (timedOut) return new KuboUnavailable(origin, message, { cause: error })
  const status = statusOf(error)
  if (status === 401 || status === 403) return new KuboRefused(origin, { cause: error })
  // What fetch itself throws is a TypeError; an answer cut off in its middle ends in broken JSON.
  const cutOff = status === undefined && ['TypeError', 'SyntaxError'].includes(nameOf(error))
  // An answer that is not Kubo's own comes from something in between, or from a Kubo that is just starting.
  const between = status === 502 || status === 503 || status === 504
  if (cutOff || between) return new KuboUnavailable(origin, reasonOf(error), { cause: error })
  if (/no space left on device|disk quota exceeded/.test(message)) return new StorageFull({ cause: error })
  return new KuboFailed(origin, message, { cause: error })
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error && 'response' in error)) return undefined
  const { response } = error
  if (typeof response !== 'object' || response === null || !('status' in response)) return undefined
  return typeof response.status === 'number' ? response.status : undefined
}

/** `fetch failed` says nothing; what it was lies one deeper. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message
  return messageOf(error)
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
