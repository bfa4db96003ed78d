import type { Hash } from '@hexachord/protocol/names'

/** Tells those who wait for an offer that something about it has changed. */
export type OfferChanges = {
  announce(id: Hash): void
  /** Resolves at the next change, after so many ms, or when the signal is aborted. */
  next(id: Hash, withinMs: number, signal: AbortSignal): Promise<void>
}

export function createOfferChanges(): OfferChanges {
  const waiting = new Map<Hash, Set<() => void>>()
  return {
    announce(id) {
      for (const wake of waiting.get(id) ?? []) wake()
    },
    async next(id, withinMs, signal) {
      if (signal.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, withinMs)
      const others = waiting.get(id) ?? new Set()
      waiting.set(id, others.add(resolve))
      const giveUp = () => resolve()
      signal.addEventListener('abort', giveUp, { once: true })
      try {
        await promise
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
        others.delete(resolve)
        if (others.size === 0) waiting.delete(id)
      }
    },
  }
}
