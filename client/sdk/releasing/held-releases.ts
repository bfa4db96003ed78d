import type { SignedAction } from '@hexachord/protocol/actions'
import type { Hash } from '@hexachord/protocol/names'
import { type HeldRelease, heldReleaseSchema, listOf } from '@hexachord/protocol/rest'
import {
  ApiError,
  type Connection,
  noAnswer,
  patiently,
  readJson,
  readProblem,
  reasonOf,
} from '../connect/index.ts'
import type { Account } from '../keys/index.ts'
import { tokenFor } from '../writing/index.ts'

type Options = { readonly signal?: AbortSignal | undefined }

/** A node may be away for a restart. */
const patienceMs = 60_000
const answerWithinMs = 10_000

/** Gives a signed action to a node that holds it back until a time. The same may be given any number of times; the newer of
 * a subject takes the place of the one before.
 * @throws ApiError */
export async function holdBack(
  connection: Connection,
  account: Account,
  node: string,
  { action, holdUntilMs, hash }: { action: SignedAction; holdUntilMs: number; hash: Hash },
  { signal }: Options = {},
): Promise<HeldRelease> {
  const url = `${node}/releases`
  const give = async () =>
    readJson(connection.http, url, heldReleaseSchema, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: await tokenFor(connection, account, node),
      },
      body: JSON.stringify({ action, holdUntilMs }),
      ...(signal ? { signal } : {}),
    })
  const release = await patiently(give, { signal, patienceMs: () => patienceMs })
  if (release.hash !== hash) throw noAnswer(url, `it holds another action than the one it was given, ${hash}`)
  return release
}

/** @returns undefined for one that the node does not have @throws ApiError */
export async function readRelease(
  connection: Connection,
  account: Account,
  { node, hash }: { readonly node: string; readonly hash: Hash },
  { signal }: Options = {},
): Promise<HeldRelease | undefined> {
  try {
    return await readJson(connection.http, `${node}/releases/${hash}`, heldReleaseSchema, {
      headers: { authorization: await tokenFor(connection, account, node) },
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}

/** What a node holds back for the account, and what became of that for a month.
 * @throws ApiError */
export async function listReleases(
  connection: Connection,
  account: Account,
  node: string,
  { signal }: Options = {},
): Promise<HeldRelease[]> {
  const { items } = await readJson(connection.http, `${node}/releases`, listOf(heldReleaseSchema), {
    headers: { authorization: await tokenFor(connection, account, node) },
    ...(signal ? { signal } : {}),
  })
  return items
}

/** Takes back what a node holds; its upload stays, and can be published. One that the node does not have is withdrawn
 * already. The node has seen the signed action all the same: whoever does not trust it with that publishes, or signs,
 * something newer under the name.
 * @throws ApiError (409 for one that was sent) */
export async function withdrawRelease(
  connection: Connection,
  account: Account,
  { node, hash }: { readonly node: string; readonly hash: Hash },
  { signal }: Options = {},
): Promise<void> {
  const url = `${node}/releases/${hash}`
  const timeout = AbortSignal.timeout(answerWithinMs)
  const response = await connection
    .http(url, {
      method: 'DELETE',
      headers: { authorization: await tokenFor(connection, account, node) },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    .catch((cause: unknown) => {
      throw signal?.aborted ? cause : noAnswer(url, reasonOf(cause), cause)
    })
  if (!response.ok && response.status !== 404) throw await readProblem(response, url)
  await response.body?.cancel()
}
