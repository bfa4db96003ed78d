import { ApiError } from '@hexachord/sdk/connect'
import { type Listen, type ListenBrainz, listensPerRequest, submitListens } from '@hexachord/sdk/listening'
import type { KeptListens } from '../settings/index.ts'

/** Listens that were told of, those that wait for another time, and why. */
export type Scrobbled = { readonly sent: number; readonly kept: number; readonly reason?: string }

/** Keeps a listen, then tells of it and of those that wait. What a server will never take is let go of.
 * @throws the signal's reason; whatever else goes wrong between here and the server is told in `reason` */
export async function scrobble(
  server: ListenBrainz,
  listen: Listen,
  store: KeptListens,
  { signal }: { signal: AbortSignal },
): Promise<Scrobbled> {
  await store.keep(listen)
  const waiting = await store.list()
  let sent = 0
  for (let at = 0; at < waiting.length; at += listensPerRequest) {
    const batch = waiting.slice(at, at + listensPerRequest)
    const names = batch.map(({ name }) => name)
    try {
      await submitListens(
        server,
        batch.map((one) => one.listen),
        { signal },
      )
      sent += batch.length
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.status !== 400) return { sent, kept: waiting.length - at, reason: error.message }
    }
    await store.forget(names)
  }
  return { sent, kept: 0 }
}
