import type { Progress } from '@hexachord/sdk/uploading'
import { progressBars } from '../terminal/index.ts'
import { type Described, describeProgress, machineProgress } from './describe-progress.ts'

/** A line that says little more than the one before it is left out: this share of a step is worth one. */
const worthALine = 0.2
const worthJson = 0.05

/** Shows uploads as they go on, on stderr: a bar per file in a terminal, else lines; with `json` lines of JSON. */
export function showUploads(
  files: readonly string[],
  { json }: { json: boolean },
): { show(file: number, progress: Progress): void; stop(): void } {
  if (json) return showLines(worthJson, (file, progress) => jsonLine(files[file], progress))
  if (!process.stderr.isTTY) {
    return showLines(worthALine, (file, _, { step, text }) => `${files[file]}: ${step}: ${text}\n`)
  }
  const bars = progressBars(files)
  return {
    show(file, progress) {
      const { step, done, total, text } = describeProgress(progress)
      bars.update(file, done, total, text === '' ? step : `${step}: ${text}`)
    },
    stop: bars.stop,
  }
}

function jsonLine(file: string | undefined, progress: Progress): string {
  return `${JSON.stringify({ file, ...machineProgress(progress) })}\n`
}

function showLines(
  worth: number,
  lineOf: (file: number, progress: Progress, described: Described) => string,
) {
  const shown = new Map<number, Described>()
  return {
    show(file: number, progress: Progress): void {
      const described = describeProgress(progress)
      const before = shown.get(file)
      const isNews =
        before?.step !== described.step ||
        partOf(described) - partOf(before) >= worth ||
        (described.total === 0 && before.text !== described.text)
      if (!isNews) return
      shown.set(file, described)
      process.stderr.write(lineOf(file, progress, described))
    },
    stop: () => undefined,
  }
}

function partOf({ done, total }: Described): number {
  return total === 0 ? 0 : done / total
}

/** When each file had been sent, and when its publishing began, of `performance.now()`. */
export function timeSteps() {
  const sentAt = new Map<number, number>()
  const publishedFrom = new Map<number, number>()
  return {
    note(file: number, progress: Progress): void {
      const now = performance.now()
      if (progress.step === 'sending') sentAt.delete(file)
      else if (progress.step === 'publishing') publishedFrom.set(file, publishedFrom.get(file) ?? now)
      else if (progress.step !== 'moving' && !sentAt.has(file)) sentAt.set(file, now)
    },
    /** ms from `startedAt` to the last byte sent, and from the signed action to the end. */
    of(file: number, startedAt: number): { upload: number; publish: number } {
      const now = performance.now()
      return {
        upload: Math.round((sentAt.get(file) ?? startedAt) - startedAt),
        publish: Math.round(now - (publishedFrom.get(file) ?? now)),
      }
    },
  }
}
