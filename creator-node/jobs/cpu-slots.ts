/** Processor cores as places for long work: at most one ffmpeg on each, over all uploads. */
export type CpuSlots = {
  /**
   * Runs `work` once a core is free; those with a lower urgency number first, else in the order of asking. The core is
   * given back when `work` ends, or sooner: when it calls `free`, because what is left of it needs none.
   * @throws the signal's reason when it aborts before the work began, and what `work` throws
   */
  run<Result>(
    urgency: number,
    signal: AbortSignal,
    work: (free: () => void) => Promise<Result>,
  ): Promise<Result>
  counts(): { running: number; waiting: number }
}

type Waiting = { readonly urgency: number; readonly start: () => void }

export function createCpuSlots(cores: number): CpuSlots {
  const queue: Waiting[] = []
  let running = 0

  function startNext(): void {
    while (running < cores) {
      const next = queue.shift()
      if (next === undefined) return
      running += 1
      next.start()
    }
  }

  function enqueue(waiting: Waiting): void {
    const place = queue.findIndex(({ urgency }) => urgency > waiting.urgency)
    queue.splice(place < 0 ? queue.length : place, 0, waiting)
    startNext()
  }

  async function slot(urgency: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { urgency, start: resolve }
    const leave = () => {
      const place = queue.indexOf(waiting)
      // Not in line any more: its turn came at the same moment, and whoever waits gives the core back.
      if (place < 0) return
      queue.splice(place, 1)
      reject(signal.reason)
    }
    signal.addEventListener('abort', leave, { once: true })
    enqueue(waiting)
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  return {
    async run(urgency, signal, work) {
      await slot(urgency, signal)
      let held = true
      const free = () => {
        if (!held) return
        held = false
        running -= 1
        startNext()
      }
      try {
        signal.throwIfAborted()
        return await work(free)
      } finally {
        free()
      }
    },
    counts: () => ({ running, waiting: queue.length }),
  }
}
