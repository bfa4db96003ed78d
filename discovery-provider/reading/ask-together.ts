/** While the database works at one statement, this process can read what another has found. */
const usuallyAtOnce = 2

/** Answers everybody who asks at one moment by one statement: of what a look into an index costs, most is the way there
 * and back. Whoever asks while as many as may run are running waits for the next one, so that an answer is never older
 * than its question, and the busier it gets the more they share.
 * @param read of each key what there is, in any order; keys of nothing may be left out
 * @param atMost keys in one statement
 * @param atOnce statements that may run at a time */
export function askTogether<Key, Value>({
  read,
  atMost,
  atOnce = usuallyAtOnce,
}: {
  read: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>
  atMost: number
  atOnce?: number
}): (key: Key) => Promise<Value | undefined> {
  type Question = PromiseWithResolvers<Value | undefined>
  const waiting = new Map<Key, Question>()
  let running = 0
  let isDue = false

  /** After everything that has already arrived has been looked at. */
  function beSoon(): void {
    if (isDue || running >= atOnce || waiting.size === 0) return
    isDue = true
    setImmediate(() => {
      isDue = false
      const questions = [...waiting].slice(0, atMost)
      for (const [key] of questions) waiting.delete(key)
      running++
      void answer(questions)
      beSoon()
    })
  }

  async function answer(questions: readonly (readonly [Key, Question])[]): Promise<void> {
    try {
      const values = await read(questions.map(([key]) => key))
      for (const [key, { resolve }] of questions) resolve(values.get(key))
    } catch (error) {
      for (const [, { reject }] of questions) reject(error)
    } finally {
      running--
      beSoon()
    }
  }

  return (key) => {
    const known = waiting.get(key)
    if (known !== undefined) return known.promise
    const question = Promise.withResolvers<Value | undefined>()
    waiting.set(key, question)
    beSoon()
    return question.promise
  }
}
