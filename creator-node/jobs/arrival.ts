import { open, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

/** A file of which not all bytes may be there yet. */
export type Arrival = {
  /** Resolves once so many bytes are there, or all of them where it has fewer. @throws ArrivalGivenUp, or the signal's reason */
  reached(byteLength: number): Promise<void>
  /** Resolves once all of it is there. @throws as `reached` does */
  whole(): Promise<void>
  /** Resolves as `whole` does, or after so long without. @throws as `reached` does */
  within(ms: number): Promise<void>
  /** For a program that reads from the start to the end: the file's path where all of it is there, else what is there
   * and then what comes. */
  input(): Promise<string | Readable>
  /** Has everybody who waits look at the file at once. */
  look(): void
}

/** Nobody waits any longer for the rest of a file, which may yet come. */
export class ArrivalGivenUp extends Error {
  override readonly name = 'ArrivalGivenUp'
}

/** Between two looks at a file that does not grow: less than a program takes to start. */
const lookMs = 10
/** Who sends nothing for so long has lost the connection. */
const defaultStalledMs = 10_000
const chunkBytes = 256 * 1024

/**
 * Watches a file that is written from its start to its end.
 * @param options.isInTheWay whether others need what is held while it is waited for: then that ends at once
 */
export function watchArrival(options: {
  path: string
  /** Of the whole file. */
  byteLength: number
  isInTheWay: () => boolean
  /** Ends it when nothing has come for so long. @default 10,000 ms */
  stalledMs?: number
  signal: AbortSignal
}): Arrival {
  const { path, byteLength, isInTheWay, signal, stalledMs = defaultStalledMs } = options
  let givenUp: ArrivalGivenUp | undefined
  let looking = new AbortController()

  async function reached(wanted: number): Promise<void> {
    const enough = Math.min(wanted, byteLength)
    let [size, grownAtMs] = [0, performance.now()]
    for (;;) {
      if (givenUp !== undefined) throw givenUp
      const now = (await stat(path)).size
      if (now >= enough) return
      if (now > size) [size, grownAtMs] = [now, performance.now()]
      if (isInTheWay() || performance.now() - grownAtMs > stalledMs) {
        givenUp = new ArrivalGivenUp('the rest of the file does not come')
      }
      await untilNextLook()
    }
  }

  async function untilNextLook(): Promise<void> {
    const early = looking.signal
    await delay(lookMs, undefined, { signal: AbortSignal.any([signal, early]) }).catch((error: unknown) => {
      if (signal.aborted || !early.aborted) throw error
    })
  }

  async function* bytes(): AsyncGenerator<Uint8Array> {
    const file = await open(path)
    try {
      for (let at = 0; at < byteLength; ) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, at)
        if (bytesRead === 0) await reached(at + 1)
        else yield buffer.subarray(0, bytesRead)
        at += bytesRead
      }
    } finally {
      await file.close()
    }
  }

  return {
    reached,
    whole: () => reached(byteLength),
    async within(ms) {
      const whole = reached(byteLength)
      // Where that fails later, whoever waits for all of it hears of it.
      whole.catch(() => undefined)
      await Promise.race([whole, delay(ms, undefined, { signal, ref: false })])
    },
    async input() {
      if ((await stat(path)).size >= byteLength) return path
      return Readable.from(bytes(), { objectMode: false })
    },
    look() {
      looking.abort()
      looking = new AbortController()
    },
  }
}
