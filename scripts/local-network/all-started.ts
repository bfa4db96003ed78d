/** Waits for all of them before it throws, so that whoever cleans up finds no start still under way. */
export async function allStarted(starts: Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(starts)
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) {
    throw new AggregateError(
      failures,
      failures.map((failure) => String(failure?.message ?? failure)).join('\n\n'),
    )
  }
}
