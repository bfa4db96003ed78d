/** One piece of work at a time per key, in order of asking; work on different keys runs side by side. */
export type KeyedLock = {
  isBusy(key: string): boolean
  /** From the moment of this call, not of its turn, the key is busy. */
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result>
  /** Resolves when all work on the key that was asked for before is done. */
  idle(key: string): Promise<void>
}

export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>()

  return {
    isBusy: (key) => tails.has(key),
    run(key, work) {
      const result = (tails.get(key) ?? Promise.resolve()).then(work)
      const letGo = () => {
        if (tails.get(key) === tail) tails.delete(key)
      }
      const tail: Promise<void> = result.then(letGo, letGo)
      tails.set(key, tail)
      return result
    },
    async idle(key) {
      await tails.get(key)
    },
  }
}
