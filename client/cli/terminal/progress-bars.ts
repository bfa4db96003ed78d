import { MultiBar } from 'cli-progress'

export type Bars = {
  /** @param text what stands behind the bar of this line */
  update(line: number, done: number, total: number, text: string): void
  stop(): void
}

const longestLabel = 24

/** One bar per line on stderr, which must be a terminal. */
export function progressBars(labels: readonly string[]): Bars {
  const width = Math.min(longestLabel, Math.max(...labels.map(({ length }) => length)))
  const bars = new MultiBar({
    format: '{label} {bar} {percentage}% {text}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
    barsize: 24,
  })
  const lines = labels.map((label) =>
    bars.create(1, 0, { label: shorten(label, width).padEnd(width), text: 'waiting' }),
  )
  let isShown = true
  return {
    update(line, done, total, text) {
      lines[line]?.setTotal(Math.max(1, total))
      lines[line]?.update(done, { text })
    },
    stop() {
      // Bars that are stopped twice are drawn over what was written since.
      if (isShown) bars.stop()
      isShown = false
    },
  }
}

function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}
