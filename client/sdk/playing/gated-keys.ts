import type { Address } from '@hexachord/protocol/names'
import { listOf, operatorAnswerSchema, type Track } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '../connect/index.ts'
import { type AccountPass, type KeyHolder, keyHolderAt, NodeRefused } from '../paying/index.ts'
import { type TrackKeys, TrackLocked } from './open-segments.ts'

type Network = Pick<Connection, 'http'> & Partial<Pick<Connection, 'discover'>>

/**
 * Gets the keys of a premium track that costs nothing, by an account that its gate lets in.
 * @param network with `discover` all key holders are found, else those that hold the track, too
 * @returns throws TrackLocked with the reason where none of them gives a key
 */
export function gatedKeys(
  network: Network,
  { id: track, holders }: Pick<Track, 'id' | 'holders'>,
  options: { keyHolders: readonly Address[]; pass: AccountPass; signal?: AbortSignal | undefined },
): TrackKeys {
  const { keyHolders, pass, signal = new AbortController().signal } = options
  let found: Promise<KeyHolder[]> | undefined

  async function find(): Promise<KeyHolder[]> {
    const path = '/v1/operators?active=true'
    const listed = await network.discover?.(path, listOf(operatorAnswerSchema), { signal })
    return (listed?.items ?? holders)
      .filter(({ operator, endpoint }) => keyHolders.includes(operator) && URL.canParse(endpoint))
      .map(({ endpoint }) => keyHolderAt(network.http, { origin: new URL(endpoint).origin, track, pass }))
  }

  return async (place, tryKey) => {
    let last: unknown
    found ??= find()
    found.catch(() => {
      found = undefined
    })
    for (const holder of await found) {
      try {
        await holder.pass(signal)
        return await holder.key(place, { session: undefined, tryKey, signal })
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof ApiError || error instanceof NodeRefused)) throw error
        last = error
      }
    }
    const reason = last instanceof Error ? last.message : 'none of its key holders is there'
    throw new TrackLocked(`this track is premium: ${reason}`, { cause: last })
  }
}
