import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { makeTemporaryFolder } from '../testing/temporary-folder.ts'
import { inputOf, type TargetReport } from './fuzz-target.ts'
import { loadTargets } from './targets/index.ts'
import type { Told, Work } from './work.ts'

export type FuzzOptions = {
  /** Only targets whose name begins so. @default all */
  readonly wanted?: string
  readonly seed: number
  /** Only this case. */
  readonly case?: number | undefined
  /** For each target. @default a short run of some hundred cases */
  readonly seconds?: number | undefined
  readonly onReport?: (report: TargetReport) => void
  readonly signal?: AbortSignal | undefined
}

/** One case that takes longer hangs: a case is judged slow after a fraction of it. */
const hangMs = 20_000
const lookMs = 250

/**
 * Fuzzes parsers, each until its first finding, in a thread that can be stopped from outside; what comes after one that
 * hangs runs in a thread of its own.
 * @returns a report for each
 */
export async function fuzz(options: FuzzOptions): Promise<TargetReport[]> {
  const reports: TargetReport[] = []
  const take = (report: TargetReport) => {
    reports.push(report)
    options.onReport?.(report)
  }
  const folder = await makeTemporaryFolder()
  try {
    let hung: TargetReport | undefined
    do {
      hung = await runThread(options, { folder: folder.path, after: hung?.target }, take)
      if (hung !== undefined) take(hung)
      options.signal?.throwIfAborted()
    } while (hung !== undefined)
    return reports
  } finally {
    await folder.remove()
  }
}

/** @returns a report of the target that had to be stopped */
async function runThread(
  { wanted = '', seed, seconds, case: only, signal }: FuzzOptions,
  { folder, after }: Pick<Work, 'folder' | 'after'>,
  take: (report: TargetReport) => void,
): Promise<TargetReport | undefined> {
  const progress = new SharedArrayBuffer(4)
  const [place, ended] = [new Int32Array(progress), new AbortController()]
  const workerData: Work = { wanted, folder, after, seed, seconds, case: only, progress }
  const worker = new Worker(new URL('work.ts', import.meta.url), {
    workerData,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  let running: string | undefined
  worker.on('message', (told: Told) => {
    if ('report' in told) take(told.report)
    running = 'begun' in told ? told.begun : undefined
  })
  const exit = new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
  const stop = AbortSignal.any([ended.signal, ...(signal ? [signal] : [])])
  const watching = hangs(() => `${running} ${place[0]}`, stop).then(async (hanging) => {
    if (hanging || signal?.aborted) await worker.terminate()
    return hanging
  })
  try {
    await exit
  } finally {
    ended.abort()
  }
  if (!(await watching) || running === undefined) return undefined
  const number = place[0] ?? 0
  const problem = `hangs: case ${number} took longer than ${hangMs / 1000} s`
  const target = (await loadTargets(running, folder)).find(({ name }) => name === running)
  const input = target === undefined ? '' : inputOf(target, seed, number)
  const finding = { target: running, seed, case: number, problem, input }
  return { target: running, cases: number, accepted: 0, finding }
}

/** @returns true once nothing has moved for too long, false when told to stop */
async function hangs(place: () => string, signal: AbortSignal): Promise<boolean> {
  let [seen, sinceMs] = [place(), performance.now()]
  while (!signal.aborted) {
    await sleep(lookMs, undefined, { signal }).catch(() => undefined)
    if (place() !== seen) [seen, sinceMs] = [place(), performance.now()]
    else if (performance.now() - sinceMs > hangMs) return true
  }
  return false
}
