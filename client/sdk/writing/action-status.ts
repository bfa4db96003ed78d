import type { Hash } from '@hexachord/protocol/names'
import { type ActionStatus, actionStatusSchema } from '@hexachord/protocol/rest'
import { ApiError, type Connection, isPassing, readJson } from '../connect/index.ts'

/** Where an action stands. Discovery first: only what it has applied can be read. A relay knows of what is not on the
 * chain yet.
 * @returns undefined when nobody knows of it */
export async function knownStatus(
  connection: Connection,
  hash: Hash,
  signal: AbortSignal | undefined,
): Promise<ActionStatus | undefined> {
  const init = signal ? { signal } : {}
  const judged = await unlessAway(() => connection.discover(`/v1/actions/${hash}`, actionStatusSchema, init))
  if (judged) return judged
  const relays = await Promise.all(
    connection.creators.map((node) =>
      unlessAway(() => readJson(connection.http, `${node}/actions/${hash}`, actionStatusSchema, init)),
    ),
  )
  const said = (...names: ActionStatus['status'][]) =>
    relays.find((status) => status && names.includes(status.status))
  const mined = said('mined', 'applied')
  if (mined) return { ...mined, status: 'mined' }
  // One relay's refusal means nothing while another one still tries.
  return said('pending') ?? said('rejected')
}

/** Neither a 404 nor a node that is away for now ends the waiting. */
async function unlessAway<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (isPassing(error) || (error instanceof ApiError && error.status === 404)) return undefined
    throw error
  }
}
