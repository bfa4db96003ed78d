import { readdir, readFile, writeFile } from 'node:fs/promises'

/** What a process has used so far, as Linux counts it. */
export type ProcessUsage = {
  /** Its own processor time, and that of all its children that have ended. */
  readonly cpuMs: number
  /** Of these children alone. */
  readonly childrenCpuMs: number
  readonly residentBytes: number
  /** The most that it had in memory since it began, or since {@link forgetPeak}. */
  readonly peakBytes: number
}

/** Linux counts in hundredths of a second for programs, whatever its kernel does. */
const msPerTick = 10

/** @throws an error with the code ENOENT when there is no such process, or no /proc */
export async function usageOf(pid: number): Promise<ProcessUsage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ])
  // The name of the program stands in brackets and may hold anything; the third field follows it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = (place: number) => Number(fields[place - 3])
  const childrenCpuMs = (ticks(16) + ticks(17)) * msPerTick
  return {
    cpuMs: (ticks(14) + ticks(15)) * msPerTick + childrenCpuMs,
    childrenCpuMs,
    residentBytes: kibibytes(status, 'VmRSS'),
    peakBytes: kibibytes(status, 'VmHWM'),
  }
}

/** Begins the peak of a process anew. */
export async function forgetPeak(pid: number): Promise<void> {
  // proc(5): 5 resets the peak resident set size.
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

/** Runs `work` while looking at the children of a process. @returns the most that one of them had in memory */
export async function largestChild(pid: number, work: () => Promise<void>, everyMs = 50): Promise<number> {
  let peakBytes = 0
  const look = async () => {
    for (const child of await childrenOf(pid)) {
      peakBytes = Math.max(peakBytes, (await usageOf(child).catch(() => undefined))?.peakBytes ?? 0)
    }
  }
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = looking.then(look)
  }, everyMs)
  try {
    await work()
  } finally {
    clearInterval(timer)
    await looking
  }
  return peakBytes
}

/** Children of every thread of a process; none when it has ended. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  )
  return lists.flatMap((list) => list.trim().split(' ').filter(Boolean)).map(Number)
}

function kibibytes(status: string, name: string): number {
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
}
