import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino'

export type { Logger } from 'pino'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** Fields whose values let someone act as somebody else. */
const secretFields = ['authorization', 'cookie', 'signature', 'privateKey', 'password', 'mnemonic', 'token']

const secretPaths = secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`, `*.*.*.${field}`])

/** Written at once: what waits in memory is lost or out of order when the process ends, and last words matter most. */
function standardOutput(): DestinationStream {
  return destination({ fd: 1, sync: true })
}

/**
 * JSON lines on standard output: `time` in ms, `level` as a word, `service`, `msg`, and what a call adds. An error
 * goes under `err`. Secrets (authorization headers, signatures, keys, passwords) up to three levels deep are
 * replaced by `[redacted]`.
 */
export function createLogger(options: {
  service: string
  level?: LogLevel
  destination?: DestinationStream
}): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: { service: options.service },
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: stdSerializers.err },
    redact: { paths: secretPaths, censor: '[redacted]' },
  }
  return pino(settings, options.destination ?? standardOutput())
}
