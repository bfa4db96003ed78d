/** The jobs that run in this process, each id at most once. */
export type RunningJobs = {
  /**
   * Starts `work`, or joins the run of this id that is still going: after a Redis flush the same job is delivered
   * again while its first delivery runs.
   */
  run(id: string, work: (signal: AbortSignal) => Promise<void>): Promise<void>
  readonly size: number
  /** Aborts every run and waits until all have ended, or `graceMs` have passed. */
  stop(graceMs: number): Promise<void>
}

export function createRunningJobs(): RunningJobs {
  const stopping = new AbortController()
  const runs = new Map<string, Promise<void>>()

  async function startRun(id: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    try {
      await work(stopping.signal)
    } finally {
      runs.delete(id)
    }
  }

  return {
    run(id, work) {
      const going = runs.get(id)
      if (going !== undefined) return going
      const started = startRun(id, work)
      runs.set(id, started)
      return started
    },
    get size() {
      return runs.size
    },
    async stop(graceMs) {
      stopping.abort(new DOMException('the queue is closing', 'AbortError'))
      const ended = Promise.allSettled(runs.values())
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, graceMs)
      await Promise.race([ended, late.promise])
      clearTimeout(timer)
    },
  }
}
