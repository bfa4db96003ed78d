import { createApp, finishApp, type Listening, listen } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { afterEach, expect, test } from '@jest/globals'
import { anUpload, aPlan } from '../fixtures/an-upload.ts'
import { createUploadChanges } from './changes.ts'
import { uploadReadRoutes } from './event-routes.ts'
import type { Upload } from './upload.ts'

let closing: AbortController
let server: Listening | undefined
afterEach(async () => {
  closing.abort()
  await server?.close()
})

/** One upload and whoever watches it; of progress alone nobody hears twice within the test. */
async function watched() {
  closing = new AbortController()
  let upload = anUpload({ state: 'processing', renditions: [rendition(0)] })
  const listeners = new Set<(id: string) => void>()
  const changes = createUploadChanges({
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
  const logger = createLogger({ service: 'test', level: 'silent' })
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test', routine: [] })
  app.use(
    uploadReadRoutes({
      ...{ changes, signal: closing.signal, ahead: () => 0, gapMs: 3_600_000 },
      uploads: { get: () => upload, blockCount: () => 0 },
    }),
  )
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
  const response = await fetch(`${server.origin}/uploads/one/events`, { signal: AbortSignal.timeout(20_000) })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    change(next: Partial<Upload>) {
      upload = { ...upload, ...next, version: upload.version + 1 }
      for (const listener of listeners) listener('one')
    },
    /** Versions of the events up to the next blank line. */
    async next(): Promise<number> {
      for (;;) {
        const [event, version] = /^.*\nid: (\d+)\n.*\n\n/.exec(text) ?? []
        if (event !== undefined) {
          text = text.slice(event.length)
          return Number(version)
        }
        const { value, done } = (await reader?.read()) ?? { done: true }
        if (done) throw new Error('the stream has ended')
        text += value
      }
    },
  }
}

function rendition(segments: number) {
  return { plan: aPlan, state: 'running' as const, doneMs: segments * 6_000, segments }
}

test('what somebody waits for is told at once, and mere progress with it', async () => {
  const { next, change } = await watched()
  expect(await next()).toBe(1)
  change({ filename: 'nobody waits for it' })
  change({ renditions: [rendition(1)] })
  expect(await next()).toBe(3)
  change({ renditions: [rendition(2)] })
  change({ renditions: [rendition(3)] })
  change({ playable: 'a manifest' })
  expect(await next()).toBe(6)
  change({ renditions: [rendition(4)] })
  change({ state: 'replicating' })
  expect(await next()).toBe(8)
})

test('steps are not held back for an eye that could not see them', async () => {
  const { next, change } = await watched()
  let version = await next()
  const beginMs = performance.now()
  for (let step = 0; step < 50; step++) {
    change({ playable: `manifest ${step}` })
    version += 1
    expect(await next()).toBe(version)
  }
  // With 200 ms between each two it would be ten seconds.
  expect(performance.now() - beginMs).toBeLessThan(5_000)
}, 20_000)
