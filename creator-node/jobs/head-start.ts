import { isCarried } from '../importing/index.ts'
import { type Arrival, ArrivalGivenUp, watchArrival } from './arrival.ts'
import { type Foreseen, foreseeRenditions } from './foresee-renditions.ts'
import { openWork, type Work, type WorkOptions } from './work.ts'

/** Work that was begun on a file whose last bytes may not have come yet. */
export type HeadStart = { readonly work: Work; readonly foreseen: Foreseen }

/**
 * While an upload arrives, and then while it is synced, written down and queued, the rendition that it will most likely
 * have first is made already. What comes of it counts only once the upload itself is worked on, which takes it over
 * from here.
 */
export type HeadStarts = {
  /** Begins, if this node has nothing else to make at the moment, with what comes of a file. Ends that as soon as
   * something else is to be made, or when nothing comes any more. */
  begin(id: string): void
  /** All of the file is there: begins unless that was done before, and keeps it for whoever takes it over. */
  give(id: string): void
  /** Hands over what was begun, if anything was. The file has to be there in full. */
  take(id: string): HeadStart | undefined
  /** Ends what nobody has taken over. */
  close(): Promise<void>
}

/** An upload's turn comes at once where there is nothing else to make; whoever waits longer begins anew. */
const waitingMs = 10_000

type Begun = HeadStart & { readonly arrival: Arrival; timer?: NodeJS.Timeout }

export function createHeadStarts(options: WorkOptions): HeadStarts {
  const begun = new Map<string, Begun>()
  const closing = new AbortController()

  function begin(id: string): void {
    const upload = options.uploads.get(id)
    const { running, waiting } = options.slots.counts()
    if (upload === undefined || isCarried(upload) || begun.size + running + waiting > 0) return
    const work = openWork(id, options)
    const { signal } = closing
    const isInTheWay = () => options.slots.counts().waiting > 0
    const arrival = watchArrival({ path: work.input, byteLength: upload.byteLength, isInTheWay, signal })
    const start: Begun = { work, arrival, foreseen: foreseeRenditions(work, signal, arrival) }
    begun.set(id, start)
    start.foreseen.source.catch((error: unknown) => {
      // Of a file that is there in full, whoever takes it over is told what is wrong with it.
      const isAwaited = start.timer !== undefined && !(error instanceof ArrivalGivenUp)
      if (begun.get(id) === start && !isAwaited) void end(id)
    })
  }

  function take(id: string): HeadStart | undefined {
    const found = begun.get(id)
    if (found === undefined) return undefined
    clearTimeout(found.timer)
    begun.delete(id)
    return { work: found.work, foreseen: found.foreseen }
  }

  async function end(id: string): Promise<void> {
    const left = take(id)
    if (left === undefined) return
    await left.foreseen.drop()
    left.work.recorder.close()
  }

  return {
    begin,
    give(id) {
      begin(id)
      const start = begun.get(id)
      if (start === undefined) return
      start.arrival.look()
      start.timer ??= setTimeout(() => void end(id), waitingMs)
    },
    take,
    async close() {
      closing.abort(new DOMException('the node stops', 'AbortError'))
      await Promise.all([...begun.keys()].map(end))
    },
  }
}
