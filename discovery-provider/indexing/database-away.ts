/** SQLSTATE classes and codes that pass by themselves: connection, resources, shutdown and start of the server,
 * a statement or session that took too long, a serialization conflict. */
const passingStates = /^(08|53|57P0|57014|25P03|25P04|40001|40P01)/

const passingErrnos = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  // While the host starts again, or the way to it is down.
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
])

/** The driver gives these no code. */
const passingMessages =
  /Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable/

/** Whether an error means that the database is away or overloaded for the moment, rather than that we asked
 * for something wrong. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (passingStates.test(code) || passingErrnos.has(code) || passingMessages.test(error.message)) return true
  if (error instanceof AggregateError && error.errors.some(isDatabaseAway)) return true
  return isDatabaseAway(error.cause)
}
