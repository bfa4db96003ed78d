/** Something about this machine that stops us; the message says what to do. The commands exit with 2. */
export class SetupError extends Error {
  override name = 'SetupError'
}
