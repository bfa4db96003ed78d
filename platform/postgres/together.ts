/** Waits for statements of one transaction that were sent at once.
 * @throws what the one threw that failed first: those behind it only say that the transaction has ended */
export async function together(statements: readonly (Promise<unknown> | false)[]): Promise<void> {
  const outcomes = await Promise.allSettled(statements)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (failures.length > 0) throw failures.find((error) => !isAftermath(error)) ?? failures[0]
}

/** in_failed_sql_transaction */
function isAftermath(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '25P02'
}
