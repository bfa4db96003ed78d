import { ApiError, type Connection, isPassing, patiently } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { freshToken } from '../writing/index.ts'
import { createUpload } from './create-upload.ts'
import type { UploadSource } from './source.ts'
import { tusAttempt } from './tus-attempt.ts'

/** A node that has nothing of ours yet is given up soon where there are others, and else after a restart's time. */
const creationPatienceMs = { oneOfMany: 5_000, only: 30_000 }

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
  { content }: Pick<UploadSource, 'content'>,
  options: SendOptions,
): Promise<string> {
  const { node, metadata, signal } = options
  const beginningMs = creationPatienceMs[connection.creators.length > 1 ? 'oneOfMany' : 'only']
  const token = freshToken(connection, account, node)
  let url = options.resumeAt
  let acknowledged = 0
  const attempt = async (moved: () => void): Promise<string> => {
    if (url === undefined) {
      const authorization = await token.header()
      const created = await createUpload(connection, node, {
        ...{ authorization, metadata, signal },
        byteLength: content.size,
      })
      url = created.url
      acknowledged = 0
      moved()
      await options.onUrl(url)
      if (created.complete) return url
    }
    await tusAttempt(content, {
      url,
      signal,
      authorization: token.header,
      onProgress: options.onProgress,
      onAcknowledged: (bytes) => {
        if (bytes > acknowledged) moved()
        acknowledged = bytes
      },
    })
    return url
  }
  const attemptOrRenew = async (moved: () => void): Promise<string> => {
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
    signal,
    patienceMs: () => (url ? options.patienceMs : Math.min(beginningMs, options.patienceMs)),
    // 409: an answer was lost, and the node has more than we thought. The next attempt asks how much.
    passes: (error) =>
      isPassing(error) || (error instanceof ApiError && error.status === 409 && url !== undefined),
  })
}
