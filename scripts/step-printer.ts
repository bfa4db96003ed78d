import type { WriteStream } from 'node:tty'
import { SingleBar } from 'cli-progress'

/** Shows what happens as it happens: a line when a step begins and its time when the next one does; on a
 * terminal a bar between, elsewhere a line at each quarter. */
export function createStepPrinter(output: NodeJS.WriteStream & Partial<WriteStream>) {
  let current: { step: string; detail: string; startMs: number; quarter: number } | undefined
  let bar: SingleBar | undefined

  const line = (text: string): void => {
    stopBar()
    output.write(`${text}\n`)
  }

  function stopBar(): void {
    bar?.stop()
    bar = undefined
  }

  function finish(): void {
    if (current === undefined) return
    const seconds = ((performance.now() - current.startMs) / 1000).toFixed(1)
    line(`  ${current.step.padEnd(10)} ${`${seconds} s`.padStart(7)}   ${current.detail}`)
    current = undefined
  }

  return {
    line,
    /** Begins a step, or tells more of the one that runs. */
    step(step: string, detail: string): void {
      if (current?.step === step) {
        current.detail = detail
        return
      }
      finish()
      current = { step, detail, startMs: performance.now(), quarter: 0 }
      if (!output.isTTY) output.write(`  ${step.padEnd(10)}      …    ${detail}\n`)
    },
    progress(done: number, total: number): void {
      if (current === undefined || total <= 0) return
      if (output.isTTY) {
        if (!bar) {
          bar = new SingleBar({
            format: `  ${current.step.padEnd(10)} {bar} {percentage}%`,
            stream: output,
            hideCursor: true,
            clearOnComplete: true,
          })
          bar.start(total, done)
        }
        bar.setTotal(total)
        bar.update(done)
        return
      }
      const quarter = Math.floor((4 * done) / total)
      if (quarter > current.quarter && quarter < 4)
        output.write(`  ${''.padEnd(10)} ${`${quarter * 25} %`.padStart(7)}\n`)
      current.quarter = Math.max(current.quarter, quarter)
    },
    end(): void {
      finish()
      stopBar()
    },
  }
}
