import { Worker } from 'node:worker_threads'
import type { BlockRoot } from '@hexachord/protocol/storage-root'
import { blockRoot, checkBlock } from './block-root.ts'

/**
 * Roots of blocks, computed in a thread of their own: a block of a mebibyte would hold up the event loop, and with it
 * whoever listens, for milliseconds.
 */
export type RootHasher = {
  /** As `blockRoot`. The bytes are copied at once. @throws StorageRootError */
  rootOf(bytes: Uint8Array): Promise<BlockRoot>
  close(): Promise<void>
}

/** Between the threads. */
export type Asked = { readonly number: number; readonly bytes: Uint8Array }
export type Answered = { readonly number: number; readonly root: BlockRoot }

type Waiting = { readonly bytes: Uint8Array; readonly answer: PromiseWithResolvers<BlockRoot> }

const program = new URL('root-worker.ts', import.meta.url)

/** The thread begins with the first block, and keeps no process alive. */
export function createRootHasher(): RootHasher {
  const waiting = new Map<number, Waiting>()
  let worker: Worker | undefined
  let closed = false
  let asked = 0

  function start(): Worker {
    const started = new Worker(program, { execArgv: ['--disable-warning=ExperimentalWarning'] })
    started.unref()
    started.on('message', ({ number, root }: Answered) => {
      waiting.get(number)?.answer.resolve(root)
      waiting.delete(number)
    })
    // Whatever ends it, such as a lack of memory, costs nobody an answer; the next block begins another one.
    started.once('error', () => undefined)
    started.once('exit', () => {
      if (worker === started) worker = undefined
      for (const { bytes, answer } of waiting.values()) answer.resolve(blockRoot(bytes))
      waiting.clear()
    })
    return started
  }

  return {
    async rootOf(bytes) {
      checkBlock(bytes)
      if (closed) return blockRoot(bytes)
      worker ??= start()
      asked += 1
      const answer = Promise.withResolvers<BlockRoot>()
      waiting.set(asked, { bytes, answer })
      // Not `slice`, which for a Buffer is no copy.
      const copy = new Uint8Array(bytes)
      worker.postMessage({ number: asked, bytes: copy } satisfies Asked, [copy.buffer])
      return answer.promise
    },
    async close() {
      closed = true
      await worker?.terminate()
    },
  }
}
