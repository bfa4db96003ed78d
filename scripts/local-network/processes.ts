import type { Exit } from './owned-process.ts'
import { pause } from './pause.ts'

/** Something that runs and answers: an engine or a service. */
export type Running = {
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Ends it cleanly. */
  close(): Promise<void>
  /** Ends it as a power cut would do. */
  kill(): Promise<void>
}

/** Starts it and resolves when it is ready; called again after a crash. Rejects when it does not get ready. */
export type Launch = () => Promise<Running>

export type ProcessEvent =
  | { kind: 'crashed'; name: string; exit: Exit; againInMs: number }
  | { kind: 'failed'; name: string; error: unknown; againInMs: number }
  | { kind: 'back'; name: string; pid: number }

/** The processes of a network: each is kept running until someone stops it on purpose. */
export type Processes = {
  /**
   * Launches `name` and keeps it up. Rejects when it does not get ready the first time: then it is not kept.
   * @param layer `close` ends higher layers first, and the processes of one layer together
   */
  start(name: string, launch: Launch, layer?: number): Promise<void>
  /** Its pid while it runs. */
  pid(name: string): number | undefined
  names(): string[]
  /** Every end that nobody asked for, oldest first. */
  crashes(): { name: string; exit: Exit }[]
  /** Ends it as a power cut would do; it stays down until `restart`. */
  kill(name: string): Promise<void>
  /** Ends it cleanly; it stays down until `restart`. */
  stop(name: string): Promise<void>
  /** Ends it cleanly if it runs, launches it, and resolves when it is ready. */
  restart(name: string): Promise<void>
  /** Ends all, and cannot be undone. */
  close(): Promise<void>
}

const firstBackOffMs = 500
const longestBackOffMs = 30_000
/** What has run for so long has recovered: its next crash is a first one again. */
const steadyAfterMs = 60_000
/** Only the latest are of use to whoever looks, and a crash loop may go on for days. */
const rememberedCrashes = 100

type Entry = {
  name: string
  launch: Launch
  layer: number
  running: Running | undefined
  /** Aborted when it is ended on purpose; a new one for each time it is started. */
  leave: AbortController
  /** Ends when it is ended on purpose. */
  watch: Promise<void>
  /** One command at a time. */
  turn: Promise<unknown>
}

export function superviseProcesses(options: { onEvent(event: ProcessEvent): void }): Processes {
  const { onEvent } = options
  const entries = new Map<string, Entry>()
  const crashes: { name: string; exit: Exit }[] = []

  function find(name: string): Entry {
    const entry = entries.get(name)
    if (entry === undefined)
      throw new Error(`There is no process ${name}; there are ${[...entries.keys()].join(', ')}`)
    return entry
  }

  async function launchAndWatch(entry: Entry): Promise<void> {
    const running = await entry.launch()
    entry.running = running
    entry.leave = new AbortController()
    entry.watch = keepUp(entry, running, entry.leave.signal)
  }

  async function keepUp(entry: Entry, first: Running, leave: AbortSignal): Promise<void> {
    let running: Running = first
    let backOffMs = firstBackOffMs
    while (true) {
      const startedMs = Date.now()
      const exit = await running.exited
      if (leave.aborted) return
      entry.running = undefined
      crashes.push({ name: entry.name, exit })
      if (crashes.length > rememberedCrashes) crashes.shift()
      if (Date.now() - startedMs > steadyAfterMs) backOffMs = firstBackOffMs
      onEvent({ kind: 'crashed', name: entry.name, exit, againInMs: backOffMs })

      const next = await launchUntilReady(entry, backOffMs, leave)
      if (next === undefined) return
      running = next.running
      backOffMs = next.backOffMs
      entry.running = running
      onEvent({ kind: 'back', name: entry.name, pid: running.pid })
    }
  }

  async function launchUntilReady(
    entry: Entry,
    firstPauseMs: number,
    leave: AbortSignal,
  ): Promise<{ running: Running; backOffMs: number } | undefined> {
    let pauseMs = firstPauseMs
    while (await pause(pauseMs, leave)) {
      pauseMs = Math.min(pauseMs * 2, longestBackOffMs)
      try {
        const running = await entry.launch()
        if (!leave.aborted) return { running, backOffMs: pauseMs }
        // It was ended on purpose while it came up.
        await running.close()
      } catch (error) {
        if (!leave.aborted) onEvent({ kind: 'failed', name: entry.name, error, againInMs: pauseMs })
      }
    }
    return undefined
  }

  async function bringDown(entry: Entry, how: 'close' | 'kill'): Promise<void> {
    entry.leave.abort()
    await entry.running?.[how]()
    await entry.watch
    entry.running = undefined
  }

  function inTurn<T>(entry: Entry, action: () => Promise<T>): Promise<T> {
    const result = entry.turn.then(action)
    // A command that failed has told its caller; the next one is to run all the same.
    entry.turn = result.catch(() => undefined)
    return result
  }

  return {
    async start(name, launch, layer = 0) {
      if (entries.has(name)) throw new Error(`There is a process ${name} already`)
      const entry: Entry = {
        name,
        launch,
        layer,
        running: undefined,
        leave: new AbortController(),
        watch: Promise.resolve(),
        turn: Promise.resolve(),
      }
      entries.set(name, entry)
      await inTurn(entry, () => launchAndWatch(entry)).catch((error: unknown) => {
        entries.delete(name)
        throw error
      })
    },
    pid: (name) => find(name).running?.pid,
    names: () => [...entries.keys()],
    crashes: () => [...crashes],
    kill(name) {
      const entry = find(name)
      return inTurn(entry, () => bringDown(entry, 'kill'))
    },
    stop(name) {
      const entry = find(name)
      return inTurn(entry, () => bringDown(entry, 'close'))
    },
    restart(name) {
      const entry = find(name)
      return inTurn(entry, async () => {
        await bringDown(entry, 'close')
        await launchAndWatch(entry)
      })
    },
    async close() {
      const layers = [...new Set([...entries.values()].map((entry) => entry.layer))].sort((a, b) => b - a)
      const failures: unknown[] = []
      for (const layer of layers) {
        const members = [...entries.values()].filter((entry) => entry.layer === layer)
        const ends = await Promise.allSettled(
          members.map((entry) => inTurn(entry, () => bringDown(entry, 'close'))),
        )
        failures.push(...ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : [])))
      }
      entries.clear()
      if (failures.length > 0) throw new AggregateError(failures, 'Some processes could not be ended cleanly')
    },
  }
}
