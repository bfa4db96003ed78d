import { SingleBar } from 'cli-progress'

export type Bar = {
  update(done: number, total: number): void
  /** What stands behind it from now on. */
  note(text: string): void
  stop(): void
}

/** A bar on stderr where that is a terminal, and silence where it is not. */
export function progressBar(label: string, unit: 'bytes' | 'parts' | 'segments'): Bar {
  if (!process.stderr.isTTY) return { update: () => undefined, note: () => undefined, stop: () => undefined }
  const shown = (value: number) => (unit === 'bytes' ? `${(value / 1e6).toFixed(1)} MB` : String(value))
  const bar = new SingleBar({
    format: `${label.padEnd(12)} {bar} {percentage}% {done}{note}`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
  })
  let isShown = false
  let note = ''
  return {
    note(text) {
      note = `  ${text}`
    },
    update(done, total) {
      if (!isShown) bar.start(total, 0, { done: '', note })
      isShown = true
      bar.setTotal(total)
      bar.update(done, { done: `${shown(done)} of ${shown(total)}`, note })
    },
    stop() {
      if (isShown) bar.stop()
      isShown = false
    },
  }
}
