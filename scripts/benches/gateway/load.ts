import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { usageOf } from '../process-usage.ts'

/** What a server did under load. */
export type Load = {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly cpuUsPerRequest: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

const script = fileURLToPath(new URL('wrk.lua', import.meta.url))
/** Connections that ask. */
export const connections = 64
/** The longest that wrk may take beyond the time it measures. */
const patienceMs = 20_000

/**
 * Asks a server for the paths of a file, one after the other, over keep-alive connections.
 * @throws when an answer fails or is not of `bytes` bytes, since a server that answers less is no faster
 */
export async function putUnderLoad(options: {
  origin: string
  /** Whose time counts. */
  pid: number
  /** A file with one path per line, and after a tab what pays for it. */
  paths: string
  /** Of each body, at least. */
  bytes: number
  seconds: number
  /** For which each connection waits after an answer, on average. @default as fast as it answers */
  pauseMs?: number | undefined
  signal: AbortSignal
}): Promise<Load> {
  const { origin, pid, paths, seconds, signal } = options
  const args = [
    '-t1',
    '--timeout',
    '10s',
    `-c${connections}`,
    `-d${seconds}s`,
    '-s',
    script,
    origin,
    '--',
    paths,
  ]
  if (options.pauseMs !== undefined) args.push(String(options.pauseMs))
  const { cpuMs: before } = await usageOf(pid)
  const { stdout } = await promisify(execFile)('wrk', args, {
    signal,
    timeout: seconds * 1000 + patienceMs,
  })
  const { cpuMs: after } = await usageOf(pid)
  const seen = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<
    'requests' | 'durationUs' | 'bytes' | 'failed' | 'p50Us' | 'p95Us' | 'p99Us',
    number
  >
  if (seen.failed > 0 || seen.bytes < seen.requests * options.bytes) {
    throw new Error(`${origin} failed under load: ${stdout}`)
  }
  return {
    requests: seen.requests,
    requestsPerSecond: seen.requests / (seen.durationUs / 1e6),
    cpuUsPerRequest: ((after - before) * 1000) / seen.requests,
    p50Ms: seen.p50Us / 1000,
    p95Ms: seen.p95Us / 1000,
    p99Ms: seen.p99Us / 1000,
  }
}
