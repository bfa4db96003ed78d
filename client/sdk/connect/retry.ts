import { ApiError } from './http.ts'

/** How long a node may be away, such as for a restart, before it is given up. */
export const defaultPatienceMs = 120_000

const firstWaitMs = 300
const longestWaitMs = 5_000

/** Whether the same question may get another answer soon: the node is away, busy or broken for now. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.status === 0 || [408, 423, 425, 429].includes(error.status) || error.status >= 500)
  )
}

export type Patience = {
  readonly signal?: AbortSignal | undefined
  /** Without any progress. @default {@link defaultPatienceMs} */
  readonly patienceMs?: (() => number) | undefined
  /** Whether an error may pass. @default {@link isPassing} */
  readonly passes?: (error: unknown) => boolean
}

/** Tries until it works, with longer and longer waits, or as long as the node asks for by `Retry-After`.
 * @param attempt is given a function that it calls for any progress: patience and waits start anew
 * @throws the last error when it will not pass or patience has run out, or the signal's reason */
export async function patiently<T>(
  attempt: (moved: () => void) => Promise<T>,
  { signal, patienceMs = () => defaultPatienceMs, passes = isPassing }: Patience,
): Promise<T> {
  let movedAt = performance.now()
  let waitMs = firstWaitMs
  const moved = () => {
    movedAt = performance.now()
    waitMs = firstWaitMs
  }
  for (;;) {
    signal?.throwIfAborted()
    try {
      return await attempt(moved)
    } catch (error) {
      signal?.throwIfAborted()
      const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
      // Many clients lose a node at the same moment; they must not all come back at the same moment.
      const nextMs = Math.max(askedMs, waitMs * (0.75 + Math.random() / 2))
      if (!passes(error) || performance.now() + nextMs > movedAt + patienceMs()) throw error
      await pause(nextMs, signal)
      waitMs = Math.min(2 * waitMs, longestWaitMs)
    }
  }
}

/** @throws the signal's reason */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
