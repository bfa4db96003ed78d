import { parentPort } from 'node:worker_threads'
import { blockRoot } from './block-root.ts'
import type { Answered, Asked } from './root-hasher.ts'

parentPort?.on('message', ({ number, bytes }: Asked) => {
  parentPort?.postMessage({ number, root: blockRoot(bytes) } satisfies Answered)
})
