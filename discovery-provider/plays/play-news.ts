import type { CountedPlays } from './count-plays.ts'

/** Plays as this process counts them, for whoever listens at this moment. */
export type PlayNews = {
  tell(plays: readonly CountedPlays[]): void
  /** @returns ends it */
  listen(listener: (plays: readonly CountedPlays[]) => void): () => void
}

export function createPlayNews(): PlayNews {
  const listeners = new Set<(plays: readonly CountedPlays[]) => void>()
  return {
    tell(plays) {
      if (plays.length === 0) return
      for (const listener of listeners) listener(plays)
    },
    listen(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}
