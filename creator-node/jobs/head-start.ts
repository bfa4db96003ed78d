import { isCarried } from '../importing/index.ts'
import { type Foreseen, foreseeRenditions } from './foresee-renditions.ts'
import { openWork, type Work, type WorkOptions } from './work.ts'

/** Work that was begun on a file the moment its last byte came. */
export type HeadStart = { readonly work: Work; readonly foreseen: Foreseen }

/**
 * While an upload is synced, written down and queued, the rendition that it will most likely have first is made
 * already. What comes of it counts only once the upload itself is worked on, which takes it over from here.
 */
export type HeadStarts = {
  /** Begins, if this node has nothing else to make at the moment. The file has to be there in full. */
  give(id: string): void
  /** Hands over what was begun, if anything was. */
  take(id: string): HeadStart | undefined
  /** Ends what nobody has taken over. */
  close(): Promise<void>
}

/** An upload's turn comes at once where there is nothing else to make; whoever waits longer begins anew. */
const waitingMs = 10_000

export function createHeadStarts(options: WorkOptions): HeadStarts {
  const begun = new Map<string, HeadStart & { readonly timer: NodeJS.Timeout }>()
  const closing = new AbortController()

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
    give(id) {
      const upload = options.uploads.get(id)
      const { running, waiting } = options.slots.counts()
      if (upload === undefined || isCarried(upload) || begun.size + running + waiting > 0) return
      const work = openWork(id, options)
      const timer = setTimeout(() => void end(id), waitingMs)
      begun.set(id, { work, foreseen: foreseeRenditions(work, closing.signal), timer })
    },
    take,
    async close() {
      closing.abort(new DOMException('the node stops', 'AbortError'))
      await Promise.all([...begun.keys()].map(end))
    },
  }
}
