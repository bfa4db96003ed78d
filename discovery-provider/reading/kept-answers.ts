/** Makes what is the same for everybody once in a while, however many ask, and gives it to all of them. What fails is
 * made again for the next one who asks.
 * @param forMs how old it may be
 * @param atMost kept at one time; the oldest goes first
 * @param now ms */
export function keepAnswers<Answer>({
  forMs,
  atMost,
  now,
}: {
  forMs: number
  atMost: number
  now: () => number
}): (key: string, make: () => Promise<Answer>) => Promise<Answer> {
  const kept = new Map<string, { readonly answer: Promise<Answer>; readonly untilMs: number }>()
  return async (key, make) => {
    const known = kept.get(key)
    if (known !== undefined && now() < known.untilMs) return known.answer
    const fresh = { answer: make(), untilMs: now() + forMs }
    kept.delete(key)
    kept.set(key, fresh)
    for (const oldest of kept.keys()) {
      if (kept.size <= atMost) break
      kept.delete(oldest)
    }
    try {
      return await fresh.answer
    } catch (error) {
      if (kept.get(key) === fresh) kept.delete(key)
      throw error
    }
  }
}
