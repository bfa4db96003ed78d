import type { Host } from '../host.ts'
import type { Exit } from '../owned-process.ts'

/** What every engine is once it answers. */
export type Engine = {
  /** Where it is reached, with credentials if it wants any. */
  readonly url: string
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Ends it cleanly; its data stays. */
  close(): Promise<void>
  /** Ends it as a power cut would do. */
  kill(): Promise<void>
}

export type EngineOptions = {
  /** Where its data lives; made when it does not exist. */
  directory: string
  port: number
  /** Where it runs. @default this machine */
  host?: Host
  /** Its log file. @default `<directory>/<engine>.log` */
  logFile?: string
  signal: AbortSignal
}
