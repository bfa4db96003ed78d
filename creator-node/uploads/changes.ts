import type { UploadStore } from './upload-store.ts'

/** Waits for changes of uploads; for long polls and event streams. */
export type UploadChanges = {
  /** Resolves at the next change of the upload after this call, after `waitMs`, or when the signal aborts. */
  next(id: string, waitMs: number, signal: AbortSignal): Promise<void>
  close(): void
}

export function createUploadChanges(store: Pick<UploadStore, 'onChange'>): UploadChanges {
  const waiting = new Map<string, Set<() => void>>()
  const stop = store.onChange((id) => {
    for (const wake of waiting.get(id) ?? []) wake()
  })
  return {
    async next(id, waitMs, signal) {
      if (signal.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const others = waiting.get(id) ?? new Set()
      waiting.set(id, others.add(resolve))
      const timer = setTimeout(resolve, waitMs)
      const onAbort = () => resolve()
      signal.addEventListener('abort', onAbort, { once: true })
      await promise
      signal.removeEventListener('abort', onAbort)
      clearTimeout(timer)
      others.delete(resolve)
      if (others.size === 0 && waiting.get(id) === others) waiting.delete(id)
    },
    close() {
      stop()
      for (const wakes of waiting.values()) for (const wake of wakes) wake()
    },
  }
}
