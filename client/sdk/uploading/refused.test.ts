import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  type Creators,
  connectionTo,
  createCreators,
  mapMemory,
  receivedSha256,
  refuseAll,
  serve,
  sourceFile,
  sourceFileSha256,
  subject,
} from '../fixtures/index.ts'
import { UploadFailed, type UploadMemory, uploadTrack } from './index.ts'

let creators: Creators
beforeEach(() => {
  creators = createCreators()
})
afterEach(() => creators.close())

describe('an upload that is not taken', () => {
  test.each([400, 415, 422])(
    'a %i about the file ends it, and the next node is not asked',
    async (status) => {
      const node = await creators.start({ intercept: refuseAll(status, 'not like this') })
      const next = await creators.start()
      const connection = connectionTo({ creators: [node.origin, next.origin] })
      await expect(uploadTrack(connection, account, sourceFile)).rejects.toMatchObject({
        name: 'ApiError',
        status,
        message: 'not like this',
      })
      expect(next.requests.filter((request) => request !== 'GET /uploads')).toEqual([])
    },
  )

  test.each([
    [401, {}],
    [403, {}],
    [413, {}],
    [429, { 'retry-after': '3600' }],
    [507, { 'retry-after': '3600' }],
  ])('after a %i of one node the next one is asked', async (status, headers) => {
    const node = await creators.start({ intercept: refuseAll(status, 'not here', headers) })
    const next = await creators.start()
    const connection = connectionTo({ creators: [node.origin, next.origin] })
    const upload = await uploadTrack(connection, account, sourceFile, { subject })
    expect(upload).toMatchObject({ subject, state: 'ready' })
    expect(new Set(node.requests)).toEqual(new Set(['GET /uploads', 'POST /uploads']))
    await expect(
      uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile),
    ).rejects.toMatchObject({ status, message: 'not here' })
  })

  test('when a node dies half-way and stays away, the next one gets all of it', async () => {
    const dying = await creators.start()
    const disk = await creators.newDisk()
    const next = await creators.start({ disk })
    const memory = mapMemory()
    let closed: Promise<unknown> | undefined
    const upload = await uploadTrack(
      connectionTo({ creators: [dying.origin, next.origin] }),
      account,
      sourceFile,
      {
        subject,
        memory,
        patienceMs: 1_000,
        onProgress: (step) => {
          if (step.step === 'sending' && step.sentBytes > 5 << 20) closed ??= dying.close()
        },
      },
    )
    await closed
    expect(upload).toMatchObject({ subject, state: 'ready' })
    await expect(receivedSha256(disk, upload.id)).resolves.toBe(sourceFileSha256)
    expect([...memory.saved.values()]).toMatchObject([
      { node: next.origin },
      // To be given up when it is back.
      { node: dying.origin, left: true },
    ])
  })

  test('when a node fails at its own work, the next one is asked', async () => {
    const failing = await creators.start({
      onReceived: (id, node) =>
        node.change(id, { state: 'failed', problem: 'processingFailed', reason: 'disk' }),
    })
    const next = await creators.start()
    const connection = connectionTo({ creators: [failing.origin, next.origin] })
    await expect(uploadTrack(connection, account, sourceFile)).resolves.toMatchObject({ state: 'ready' })
    const alone = uploadTrack(connectionTo({ creators: [failing.origin] }), account, sourceFile)
    await expect(alone).rejects.toMatchObject({ name: 'UploadFailed', message: 'disk' })
  })

  test('a file that is no audio is not sent to another node', async () => {
    const node = await creators.start({
      onReceived: (id, self) =>
        self.change(id, { state: 'failed', problem: 'notAudio', reason: 'no audio in it' }),
    })
    const next = await creators.start()
    const memory = mapMemory()
    const connection = connectionTo({ creators: [node.origin, next.origin] })
    const failure = await uploadTrack(connection, account, sourceFile, { memory }).catch(
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(UploadFailed)
    expect(failure).toMatchObject({ message: 'no audio in it', upload: { problem: 'notAudio' } })
    expect(next.requests.filter((request) => request !== 'GET /uploads')).toEqual([])
    expect(memory.saved.size).toBe(0)
  })

  test('a node that is away from the start is left for the next one', async () => {
    const gone = await serve(() => undefined)
    await gone.close()
    const node = await creators.start()
    const connection = connectionTo({ creators: [gone.origin, node.origin] })
    await expect(uploadTrack(connection, account, sourceFile, { patienceMs: 100 })).resolves.toMatchObject({
      state: 'ready',
    })
    const none = uploadTrack(connectionTo(), account, sourceFile)
    await expect(none).rejects.toThrow('no creator node is known')
  })

  test('errors of ours are no fault of the node', async () => {
    const node = await creators.start()
    const connection = connectionTo({ creators: [node.origin] })
    const denied = { ...account, signer: deniesTokens() }
    await expect(uploadTrack(connection, denied, sourceFile)).rejects.toThrow('the user said no')
    const torn = Object.assign(new Blob(['torn']), {
      slice: () => ({ arrayBuffer: () => Promise.reject(new Error('the disk was removed')) }),
    })
    await expect(
      uploadTrack(connection, account, { ...sourceFile, content: torn as unknown as Blob }),
    ).rejects.toThrow('the disk was removed')
    const full: UploadMemory = { ...mapMemory(), save: () => Promise.reject(new Error('no space left')) }
    await expect(uploadTrack(connection, account, sourceFile, { memory: full })).rejects.toThrow(
      'no space left',
    )
  })

  test('can be called off while it waits for a node', async () => {
    const gone = await serve(() => undefined)
    await gone.close()
    const stop = new AbortController()
    const upload = uploadTrack(connectionTo({ creators: [gone.origin] }), account, sourceFile, {
      signal: stop.signal,
    })
    setImmediate(() => stop.abort(new Error('never mind')))
    await expect(upload).rejects.toThrow('never mind')
  })
})

function deniesTokens(): typeof account.signer {
  const { signer } = account
  return {
    getAddress: () => signer.getAddress(),
    signTypedData: (domain, types, value) =>
      'Token' in types
        ? Promise.reject(new Error('the user said no'))
        : signer.signTypedData(domain, types, value),
  }
}
