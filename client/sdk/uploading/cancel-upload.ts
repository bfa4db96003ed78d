import { ApiError, type Connection, noAnswer, patiently, readProblem, reasonOf } from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from '../writing/index.ts'
import { leftKey, type UploadMemory } from './memory.ts'

const answerWithinMs = 10_000
/** Where a node is not to be waited for. */
const briefPatienceMs = 2_000

type CancelOptions = { readonly signal?: AbortSignal | undefined; readonly patienceMs?: number }

/** Gives an upload up: its node stops all work for it and frees what it has. One that the node does not know any more
 * is given up already.
 * @param url of the upload at its node
 * @param patienceMs how long the node may be away; default none
 * @throws ApiError when the node is away or refuses, and the signal's reason */
export async function cancelUpload(
  connection: Connection,
  account: Account,
  url: string,
  { signal, patienceMs = 0 }: CancelOptions = {},
): Promise<void> {
  await patiently(
    async () => {
      const timeout = AbortSignal.timeout(answerWithinMs)
      const response = await connection
        .http(url, {
          method: 'DELETE',
          headers: {
            authorization: await tokenFor(connection, account, new URL(url).origin),
            'tus-resumable': '1.0.0',
          },
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        })
        .catch((cause: unknown) => {
          throw signal?.aborted ? cause : noAnswer(url, reasonOf(cause), cause)
        })
      if (!response.ok && response.status !== 404 && response.status !== 410) {
        throw await readProblem(response, url)
      }
      await response.body?.cancel()
    },
    { signal, patienceMs: () => patienceMs },
  )
}

/** Gives up what was left behind at nodes that were away when another one took over, where they are back by now.
 * @returns how many could be given up, and how many are still to be */
export async function cancelLeftUploads(
  connection: Connection,
  account: Account,
  memory: UploadMemory,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<{ cancelled: number; remaining: number }> {
  const left = ((await memory.list?.()) ?? []).filter(({ saved }) => saved.left === true)
  const results = await Promise.all(
    left.map(({ saved }) =>
      leave(connection, account, memory, saved.url, { signal, patienceMs: briefPatienceMs }),
    ),
  )
  const cancelled = results.filter(Boolean).length
  return { cancelled, remaining: left.length - cancelled }
}

/** @returns whether the node has let go of the upload; one that refuses is not asked again */
export async function leave(
  connection: Connection,
  account: Account,
  memory: UploadMemory | undefined,
  url: string,
  options: CancelOptions,
): Promise<boolean> {
  try {
    await cancelUpload(connection, account, url, options)
  } catch (error) {
    if (options.signal?.aborted) return false
    if (!(error instanceof ApiError)) throw error
    if (error.status === 0 || error.status >= 500 || error.status === 429) return false
  }
  await memory?.forget(leftKey(url))
  return true
}

/** Gives up an upload that a memory keeps: it is forgotten here at once, and at its node as soon as that is there.
 * @param key of the memory
 * @returns whether the node knows already; one that is away is told by `cancelLeftUploads` later */
export async function abandonUpload(
  connection: Connection,
  account: Account,
  memory: UploadMemory,
  key: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  const saved = await memory.load(key)
  if (saved === undefined) return true
  const { subject, node, url, filename } = saved
  await memory.save(leftKey(url), { subject, node, url, filename, left: true })
  if (key !== leftKey(url)) await memory.forget(key)
  return leave(connection, account, memory, url, { signal, patienceMs: briefPatienceMs })
}
