/**
 * Runs tasks side by side. When one fails the others are aborted, and its error is thrown once all have ended, so
 * that nothing goes on behind the caller's back.
 */
export async function together(
  outer: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController()
  const signal = AbortSignal.any([outer, failed.signal])
  await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        await task(signal)
      } catch (error) {
        failed.abort(error)
      }
    }),
  )
  if (failed.signal.aborted) throw failed.signal.reason
}
