import { ConfigError, type Environment } from './config.ts'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'
import { createLogger, type Logger, type LogLevel } from './logger.ts'

/** What a service is given to start with. */
export type ServiceContext = {
  lifecycle: Lifecycle
  env: Environment
  /** Logs as the service, at the environment's `LOG_LEVEL`. */
  logger: Logger
}

/** Supervisors commonly kill at 30 s (systemd: 90 s); half of that leaves room for them to notice. */
const closeDeadlineMs = 15_000

const logLevels: readonly string[] = [
  'trace',
  'debug',
  'info',
  'warn',
  'error',
  'fatal',
  'silent',
] satisfies LogLevel[]

/**
 * Runs a service as this process until SIGTERM or SIGINT, then closes its lifecycle and exits with 0.
 *
 * Once `start` resolves, one log line `ready` is written with the fields it resolved to. Other exit codes: 2 for a
 * ConfigError, whose list goes to standard error in plain words; 1 for a failed start, an uncaught exception, an
 * unhandled rejection, a second signal, or a close that takes longer than 15 s.
 */
export async function runService(
  name: string,
  start: (context: ServiceContext) => Promise<Record<string, unknown> | undefined>,
): Promise<void> {
  const env = process.env
  const logger = createLogger({ service: name, level: logLevelOf(env) })
  const lifecycle = createLifecycle()
  let stopping = false

  function stop(exitCode: number, why: string): void {
    if (stopping) return
    stopping = true
    logger.info({ why }, 'closing')
    const deadline = setTimeout(() => {
      logger.fatal({ open: lifecycle.open() }, 'closing took too long')
      process.exit(1)
    }, closeDeadlineMs)
    lifecycle.close().then(
      () => {
        clearTimeout(deadline)
        logger.info('closed')
        process.exit(exitCode)
      },
      (err: unknown) => {
        logger.error({ err }, 'closed with failures')
        process.exit(1)
      },
    )
  }

  function fail(err: unknown, message: string): void {
    logger.fatal({ err }, message)
    stop(1, message)
  }

  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stopping) process.exit(1)
      stop(0, name)
    })
  }
  process.on('uncaughtException', (error) => fail(error, 'uncaught exception'))
  process.on('unhandledRejection', (reason) => fail(reason, 'unhandled rejection'))

  try {
    const details = await start({ lifecycle, env, logger })
    if (!stopping) logger.info({ ...details }, 'ready')
  } catch (error) {
    // A start that was interrupted by a signal fails by design; the signal already decided the exit code.
    if (stopping) return
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`)
      await lifecycle.close()
      process.exit(2)
    }
    fail(error, 'start failed')
  }
}

function logLevelOf(env: Environment): LogLevel {
  const level = env.LOG_LEVEL ?? 'info'
  // A wrong level is reported with the service's other configuration mistakes.
  return logLevels.includes(level) ? (level as LogLevel) : 'info'
}
