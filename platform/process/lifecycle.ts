/** What a process owns, closed in the opposite order of its opening. */
export type Lifecycle = {
  /** Aborted at the moment closing begins. */
  readonly signal: AbortSignal
  /** Registers what must be closed; the last one registered is closed first. */
  onClose(name: string, close: () => Promise<unknown> | unknown): void
  /** Names of what is not closed yet, the next one to close first. */
  open(): string[]
  /**
   * Aborts `signal` and closes everything, each only after the one before it. A second call gives the first
   * call's promise. A failure keeps nothing else from being closed.
   * @throws AggregateError with every failure, after everything was tried
   */
  close(): Promise<void>
}

export function createLifecycle(): Lifecycle {
  const controller = new AbortController()
  const owned: { name: string; close: () => Promise<unknown> | unknown }[] = []
  let closing: Promise<void> | null = null
  let closed = false

  async function closeAll(): Promise<void> {
    controller.abort(new DOMException('the process is closing', 'AbortError'))
    const failures: Error[] = []
    for (let last = owned.at(-1); last !== undefined; last = owned.at(-1)) {
      try {
        await last.close()
      } catch (cause) {
        failures.push(new Error(`closing ${last.name} failed`, { cause }))
      }
      // What was opened while this one closed now stands behind it and has its turn next.
      owned.splice(owned.indexOf(last), 1)
    }
    closed = true
    if (failures.length > 0) throw new AggregateError(failures, 'not everything closed cleanly')
  }

  return {
    signal: controller.signal,
    onClose(name, close) {
      if (closed) throw new Error(`${name} was opened after the process had closed`)
      owned.push({ name, close })
    },
    open: () => owned.map(({ name }) => name).reverse(),
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}
