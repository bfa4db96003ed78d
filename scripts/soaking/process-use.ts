import { readdir, readFile } from 'node:fs/promises'

/** What a process holds at one moment. */
export type ProcessUse = {
  readonly rssBytes: number
  readonly descriptors: number
}

/** Read from /proc, so only on Linux. @returns undefined where there is no such process, or no /proc */
export async function processUse(pid: number): Promise<ProcessUse | undefined> {
  try {
    const [status, descriptors] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
    ])
    return { rssBytes: rssOf(status), descriptors: descriptors.length }
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** `VmRSS` of proc(5), which is in kB of 1,024 bytes. */
export function rssOf(status: string): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return Number(kilobytes ?? 0) * 1024
}

/** One figure of a Prometheus text page, summed over its labels; undefined when it is not there. */
export function figureOf(page: string, name: string): number | undefined {
  const lines = page.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  return lines.length === 0
    ? undefined
    : lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

export function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES'
}
