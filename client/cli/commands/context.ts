export type Context = {
  readonly env: NodeJS.ProcessEnv
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** When the command was given, of `performance.now()`. */
  readonly startedAt: number
}
