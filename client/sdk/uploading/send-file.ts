import { ApiError, type Connection, isPassing, patiently } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from '../writing/index.ts'
import type { UploadSource } from './source.ts'
import { tusAttempt } from './tus-attempt.ts'

/** A token is signed anew when it has been used this long. */
const tokenFreshMs = 20 * 60_000
/** A node that has nothing of ours yet is given up soon: there may be others. */
const creationPatienceMs = 5_000

export type SendOptions = {
  /** Origin. */
  readonly node: string
  readonly metadata: Record<string, string>
  /** Where an earlier attempt had begun. */
  readonly resumeAt: string | undefined
  readonly signal: AbortSignal | undefined
  /** How long the node may be away once it has something of ours. */
  readonly patienceMs: number
  readonly onProgress: (sentBytes: number) => void
  /** The upload has a URL from now on. */
  readonly onUrl: (url: string) => Promise<void>
}

/** Sends a file to one creator node by tus 1.0.0. A broken connection, a busy node and a restarted one are
 * waited for, and nothing that the node acknowledged is sent again.
 * @returns the upload's URL, when the node has all of the file
 * @throws ApiError for a node that refuses or stays away, and what signing, reading or `onUrl` throw */
export async function sendFile(
  connection: Connection,
  account: Account,
  source: UploadSource,
  options: SendOptions,
): Promise<string> {
  const token = freshToken(connection, account, options.node)
  let url = options.resumeAt
  let acknowledged = 0
  const attempt = (moved: () => void) =>
    tusAttempt(source.content, {
      target: url ? { url } : { endpoint: `${options.node}/uploads` },
      metadata: options.metadata,
      signal: options.signal,
      authorization: token.header,
      onProgress: options.onProgress,
      onUrl: async (given) => {
        if (given === url) return
        url = given
        moved()
        await options.onUrl(given)
      },
      onAcknowledged: (bytes) => {
        if (bytes > acknowledged) moved()
        acknowledged = bytes
      },
    })
  const attemptOrRenew = async (moved: () => void) => {
    try {
      return await attempt(moved)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.status === 401 && token.isUsed()) token.drop()
      else if (url && (error.status === 404 || error.status === 410)) url = undefined
      else throw error
      return attempt(moved)
    }
  }
  return patiently(attemptOrRenew, {
    signal: options.signal,
    patienceMs: () => (url ? options.patienceMs : Math.min(creationPatienceMs, options.patienceMs)),
    // 409: an answer was lost, and the node has more than we thought. The next attempt asks how much.
    passes: (error) =>
      isPassing(error) || (error instanceof ApiError && error.status === 409 && url !== undefined),
  })
}

/** One token for many requests; a new one in time before it expires. */
function freshToken(connection: Connection, account: Account, node: string) {
  let token: { readonly header: string; readonly at: number } | undefined
  let uses = 0
  return {
    header: async (): Promise<string> => {
      if (token === undefined || connection.now() - token.at > tokenFreshMs) {
        token = { header: await tokenFor(connection, account, node), at: connection.now() }
        uses = 0
      }
      uses += 1
      return token.header
    },
    /** Whether the node has been shown it before: if not, a refusal is no matter of age. */
    isUsed: () => uses > 1,
    drop: () => {
      token = undefined
    },
  }
}
