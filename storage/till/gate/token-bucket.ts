/** What flows in at a steady rate and may be taken at once while there is some; a debt is paid off before more is given. */
export type TokenBucket = {
  /** @returns 0 if it was taken, or else the ms after which there is something again */
  take(amount: number): number
  /** Takes what is given in any case, were it into debt. @returns the ms after which that is paid off */
  spend(amount: number): number
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

  function flowIn(): void {
    const time = now()
    // A clock that is set back makes nothing flow out.
    level = Math.min(burst, level + (Math.max(0, time - at) * perSecond) / 1000)
    at = time
  }

  return {
    take(amount) {
      flowIn()
      if (level <= 0) return Math.ceil((-level / perSecond) * 1000) + 1
      level -= amount
      return 0
    },
    spend(amount) {
      flowIn()
      level -= amount
      return level >= 0 ? 0 : Math.ceil((-level / perSecond) * 1000)
    },
  }
}
