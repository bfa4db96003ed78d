import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  type Creators,
  connectionTo,
  createCreators,
  sourceFile,
  until,
  uploadAnswer,
} from '../fixtures/index.ts'
import { uploadTrack } from './index.ts'

let creators: Creators
beforeEach(() => {
  creators = createCreators()
})
afterEach(() => creators.close())

describe('following an upload', () => {
  test('survives a node that restarts, and misses no final state', async () => {
    const disk = await creators.newDisk()
    const states: string[] = []
    const sent = Promise.withResolvers<string>()
    const first = await creators.start({ disk, onReceived: (id) => sent.resolve(id) })
    const upload = uploadTrack(connectionTo({ creators: [first.origin] }), account, sourceFile, {
      onProgress: (step) => 'upload' in step && states.push(`${step.upload.version} ${step.upload.state}`),
    })
    const id = await sent.promise
    first.change(id, { state: 'processing' })
    await until('processing is heard of', () => states.includes('3 processing'))
    await first.close()
    const second = await creators.start({ disk, port: first.port })
    await until('the restarted node is followed', () => second.followers() > 0)
    second.change(id, { state: 'replicating' })
    second.change(id, { state: 'ready' })
    await expect(upload).resolves.toMatchObject({ state: 'ready', version: 5 })
    expect(states).toEqual(expect.arrayContaining(['3 processing', '4 replicating', '5 ready']))
    expect(new Set(states).size).toBe(states.length)
  })

  test('takes a cut stream up again with the last version', async () => {
    const disk = await creators.newDisk()
    const lastIds: (string | undefined)[] = []
    const node = await creators.start({
      disk,
      intercept: (request) => {
        if (request.url?.endsWith('/events')) {
          lastIds.push(request.headers['last-event-id'] as string)
          if (lastIds.length === 1) setImmediate(() => request.socket.destroy())
        }
        return false
      },
      onReceived: () => undefined,
    })
    const upload = uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile)
    await until('the stream is asked for again', () => lastIds.length > 1)
    const [id = ''] = disk.uploads.keys()
    node.change(id, { state: 'ready' })
    await expect(upload).resolves.toMatchObject({ state: 'ready' })
    expect(lastIds).toEqual(['2', '2'])
  })

  test('gives a node up that stays away', async () => {
    const node = await creators.start({ onReceived: (_id, self) => void self.close() })
    const upload = uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile, {
      patienceMs: 700,
    })
    await expect(upload).rejects.toMatchObject({ name: 'ApiError', status: 0 })
  })

  test('does not believe everything that comes', async () => {
    const answers = [
      (response: ServerResponse) => response.end('event: upload\nid: 9\ndata: {"state":"ready"}\n\n'),
      (response: ServerResponse) => response.end(': nothing to say\n\n'),
      (response: ServerResponse) =>
        response.end(
          `event: other\ndata: 1\n\nevent: upload\ndata: ${JSON.stringify(uploadAnswer({ state: 'ready' }))}\n\n`,
        ),
    ]
    const node = await creators.start({
      onReceived: () => undefined,
      intercept: (request, response) => {
        if (!request.url?.endsWith('/events')) return false
        answers.shift()?.(response.writeHead(200, { 'content-type': 'text/event-stream' }))
        return true
      },
    })
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile)
    expect(upload).toEqual(uploadAnswer({ state: 'ready' }))
    expect(answers).toEqual([])
  })
})
