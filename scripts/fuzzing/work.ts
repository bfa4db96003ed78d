import { parentPort, workerData } from 'node:worker_threads'
import { fuzzTarget, type TargetReport } from './fuzz-target.ts'
import { loadTargets } from './targets/index.ts'

/** What a thread is told. */
export type Work = {
  /** Only targets whose name begins so. */
  readonly wanted: string
  /** For files. */
  readonly folder: string
  /** Only those behind this one. */
  readonly after: string | undefined
  readonly seed: number
  /** The only case to run. */
  readonly case: number | undefined
  /** For each target; without it, each runs its short run. */
  readonly seconds: number | undefined
  /** Number of the case that is running, for who watches from outside. */
  readonly progress: SharedArrayBuffer
}

/** What it tells. */
export type Told = { readonly begun: string } | { readonly report: TargetReport }

const { wanted, folder, after, seed, seconds, case: only, progress } = workerData as Work
const place = new Int32Array(progress)
const defaultShortRun = 300

const tell = (told: Told) => parentPort?.postMessage(told)
const targets = await loadTargets(wanted, folder)
for (const target of targets.slice(targets.findIndex(({ name }) => name === after) + 1)) {
  tell({ begun: target.name })
  const untilMs = performance.now() + (seconds ?? 0) * 1000
  const cases = target.seeds.length + (target.shortRun ?? defaultShortRun)
  const report = await fuzzTarget(target, {
    seed,
    ...(only === undefined ? {} : { from: only }),
    goesOn(number) {
      place[0] = number
      if (only !== undefined) return number === only
      return seconds === undefined ? number < cases : performance.now() < untilMs
    },
  })
  tell({ report })
}
