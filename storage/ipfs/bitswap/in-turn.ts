import pLimit from 'p-limit'
import { abortable } from '../abortable.ts'

type Request<Signal> = (cid: string, prefer: readonly string[], signal: Signal) => Promise<Uint8Array>

/** Requests for blocks, so many at one time; the others wait in line. All end when the node closes. */
export function inTurn(
  request: Request<AbortSignal>,
  { atOnce, closing }: { atOnce: number; closing: AbortSignal },
): Request<AbortSignal | undefined> {
  const limit = pLimit(atOnce)
  return async (cid, prefer, signal) => {
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing])
    const turn = limit(async () => {
      either.throwIfAborted()
      return request(cid, prefer, either)
    })
    return abortable(turn, either)
  }
}
