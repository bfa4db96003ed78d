/** What flows in at a steady rate and may be taken at once while there is some; a debt is paid off before more is given. */
export type TokenBucket = {
  /** @returns 0 if it was taken, or else the ms after which there is something again */
  take(amount: number): number
}

/**
 * @param options.perSecond what flows in
 * @param options.burst what it holds at most
 * @param options.now ms
 */
export function createTokenBucket(options: {
  perSecond: number
  burst: number
  now: () => number
}): TokenBucket {
  const { perSecond, burst, now } = options
  let [level, at] = [burst, now()]
  return {
    take(amount) {
      const time = now()
      // A clock that is set back makes nothing flow out.
      level = Math.min(burst, level + (Math.max(0, time - at) * perSecond) / 1000)
      at = time
      if (level <= 0) return Math.ceil((-level / perSecond) * 1000) + 1
      level -= amount
      return 0
    },
  }
}
