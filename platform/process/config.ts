import type { z } from 'zod'

/** The environment of a process, as `process.env` gives it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One mistake in a process's configuration. */
export type ConfigMistake = { variable: string; problem: string }

/** The configuration cannot be used. Lists every mistake, so that an operator mends all of them at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly mistakes: readonly ConfigMistake[]

  constructor(mistakes: readonly ConfigMistake[]) {
    super(
      ['The configuration is not usable:', ...mistakes.map((m) => `  ${m.variable}: ${m.problem}`)].join(
        '\n',
      ),
    )
    this.mistakes = mistakes
  }
}

/**
 * Reads the variables named by the keys of `schema` from `env`.
 * A variable that is set to the empty string counts as not set.
 * @throws ConfigError with every mistake, each under its variable's name
 */
export function loadConfig<Schema extends z.ZodObject>(schema: Schema, env: Environment): z.output<Schema> {
  const given: Record<string, string | undefined> = {}
  for (const variable of Object.keys(schema.shape)) {
    const text = env[variable]?.trim()
    if (text !== undefined && text !== '') given[variable] = text
  }
  const result = schema.safeParse(given)
  if (result.success) return result.data
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const variable = String(issue.path[0] ?? 'configuration')
      const missing = issue.code === 'invalid_type' && given[variable] === undefined
      return { variable, problem: missing ? 'is not set' : issue.message }
    }),
  )
}
