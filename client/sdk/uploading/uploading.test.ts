import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerProblem,
  type CreatorDisk,
  type CreatorNode,
  connectionTo,
  serve,
  startCreatorNode,
  subject,
  until,
  uploadAnswer,
} from '../fixtures/index.ts'
import {
  forgetUpload,
  type Progress,
  type SavedUpload,
  UploadFailed,
  type UploadMemory,
  uploadTrack,
} from './index.ts'

const bytes = randomBytes(10 << 20)
const source = {
  filename: 'song.flac',
  content: new Blob([bytes], { type: 'audio/flac' }),
  fingerprint: 'song.flac 10485760 1',
}
const ready = { state: 'ready' } as const

let closing: (() => Promise<unknown>)[]
beforeEach(() => {
  closing = []
})
afterEach(async () => {
  for (const close of closing.reverse()) await close()
})

async function newDisk(): Promise<CreatorDisk> {
  const directory = await mkdtemp(join(tmpdir(), 'hexachord-uploading-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  return { directory, uploads: new Map() }
}

type Options = Parameters<typeof startCreatorNode>[0]

async function creator(options: Partial<Options> = {}): Promise<CreatorNode> {
  const node = await startCreatorNode({
    onReceived: (id, self) => self.change(id, ready),
    disk: await newDisk(),
    ...options,
  })
  closing.push(node.close)
  return node
}

function mapMemory(): UploadMemory & { readonly saved: Map<string, SavedUpload> } {
  const saved = new Map<string, SavedUpload>()
  return {
    saved,
    load: async (key) => saved.get(key),
    save: async (key, upload) => void saved.set(key, upload),
    forget: async (key) => void saved.delete(key),
  }
}

async function received(disk: CreatorDisk, id: string): Promise<string> {
  return sha256(await readFile(join(disk.directory, id)))
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function patches(node: CreatorNode): number {
  return node.requests.filter((request) => request.startsWith('PATCH')).length
}

/** Cuts the connection of the n-th PATCH after some bytes of it have arrived. */
function cutPatch(n: number, afterBytes: number): NonNullable<Options['intercept']> {
  let count = 0
  return (request) => {
    if (request.method !== 'PATCH' || count++ !== n) return false
    let seen = 0
    request.socket.on('data', (chunk) => {
      seen += chunk.length
      if (seen > afterBytes) request.socket.destroy()
    })
    return false
  }
}

describe('uploading', () => {
  test('sends the file in pieces, and follows it until it is ready', async () => {
    const disk = await newDisk()
    const node = await creator({ disk })
    const progress: Progress[] = []
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, source, {
      subject,
      onProgress: (step) => progress.push(step),
    })
    expect(upload).toMatchObject({ subject, state: 'ready', filename: 'song.flac', byteLength: bytes.length })
    await expect(received(disk, upload.id)).resolves.toBe(sha256(bytes))
    expect(patches(node)).toBe(3)
    const sent = progress.flatMap((step) => (step.step === 'sending' ? step.sentBytes : []))
    expect(sent.at(-1)).toBe(bytes.length)
    expect(sent).toEqual(sent.toSorted((a, b) => a - b))
    expect(progress.at(-1)).toMatchObject({ step: 'node', upload: { state: 'ready' }, node: node.origin })
    expect(node.followers()).toBe(0)
  })

  test('takes a fresh name for a fresh file', async () => {
    const node = await creator()
    const connection = connectionTo({ creators: [node.origin] })
    const one = await uploadTrack(connection, account, source)
    const two = await uploadTrack(connection, account, source)
    expect(one.subject).toMatch(new RegExp(`^${account.address}-\\d+$`))
    expect(two.subject).not.toBe(one.subject)
  })

  test('goes on after a connection that broke in a piece, with what the node has', async () => {
    const disk = await newDisk()
    const node = await creator({ disk, intercept: cutPatch(1, 2 << 20) })
    const offsets: number[] = []
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, source, {
      onProgress: (step) => step.step === 'sending' && offsets.push(step.sentBytes),
    })
    await expect(received(disk, upload.id)).resolves.toBe(sha256(bytes))
    expect(node.requests.filter((request) => request.startsWith('POST'))).toHaveLength(1)
    expect(node.requests.filter((request) => request.startsWith('HEAD'))).toHaveLength(1)
  })

  test('goes on after a restart of the client', async () => {
    const disk = await newDisk()
    const stop = new AbortController()
    const memory = mapMemory()
    const node = await creator({ disk })
    const connection = connectionTo({ creators: [node.origin] })
    const first = uploadTrack(connection, account, source, {
      memory,
      signal: stop.signal,
      onProgress: (step) => {
        if (step.step === 'sending' && step.sentBytes > 5 << 20) stop.abort(new Error('killed'))
      },
    })
    await expect(first).rejects.toThrow('killed')
    const [saved] = memory.saved.values()
    const before = patches(node)

    const upload = await uploadTrack(connection, account, source, { memory })
    expect(upload.subject).toBe(saved?.subject)
    expect(`${node.origin}/uploads/${upload.id}`).toBe(saved?.url)
    await expect(received(disk, upload.id)).resolves.toBe(sha256(bytes))
    // What was acknowledged is not sent again: the first piece of three at least.
    expect(patches(node) - before).toBeLessThanOrEqual(2)

    // Until it is published, the same command ends at the same upload, without a byte.
    const sent = patches(node)
    await expect(uploadTrack(connection, account, source, { memory })).resolves.toMatchObject({
      id: upload.id,
    })
    expect(patches(node)).toBe(sent)
    await forgetUpload(memory, account, source)
    const another = await uploadTrack(connection, account, source, { memory })
    expect(another.id).not.toBe(upload.id)
  })

  test('begins anew when the node has forgotten the upload', async () => {
    const node = await creator()
    const memory = mapMemory()
    const connection = connectionTo({ creators: [node.origin] })
    const key = `${account.address} ${source.fingerprint}`
    await memory.save(key, { subject, node: node.origin, url: `${node.origin}/uploads/gone` })
    const upload = await uploadTrack(connection, account, source, { memory })
    expect(upload).toMatchObject({ subject, state: 'ready' })
  })

  test('signs a new token before the old one expires', async () => {
    let now = Date.now()
    const headers = new Set<string | undefined>()
    const node = await creator({
      now: () => now,
      intercept: (request) => {
        if (request.method !== 'PATCH') return false
        headers.add(request.headers.authorization)
        now += 25 * 60_000
        return false
      },
    })
    await uploadTrack(connectionTo({ creators: [node.origin], now: () => now }), account, source)
    expect(headers.size).toBe(3)
  })

  test('signs a new token when the old one was refused', async () => {
    let refusals = 1
    const node = await creator({
      intercept: (request, response) => {
        if (request.method !== 'PATCH' || refusals === 0) return false
        refusals -= 1
        request.resume().on('end', () => answerProblem(response, 401, 'the token has expired'))
        return true
      },
    })
    await expect(
      uploadTrack(connectionTo({ creators: [node.origin] }), account, source),
    ).resolves.toMatchObject(ready)
  })

  test.each([
    [503, 'restarting', { 'retry-after': '1' }],
    [429, 'slow down', { 'retry-after': '1' }],
    [423, 'locked', {}],
    [409, 'another offset', {}],
  ])('waits when the node answers %i in the middle', async (status, detail, headers) => {
    const disk = await newDisk()
    let count = 0
    const node = await creator({
      disk,
      intercept: (request, response) => {
        if (request.method !== 'PATCH' || count++ !== 1) return false
        request.resume().on('end', () => answerProblem(response, status, detail, headers))
        return true
      },
    })
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, source)
    await expect(received(disk, upload.id)).resolves.toBe(sha256(bytes))
  })

  test.each([400, 415, 422])(
    'a %i about the file ends it, and the next node is not asked',
    async (status) => {
      const node = await creator({ intercept: refuse(status, 'not like this') })
      const next = await creator()
      const connection = connectionTo({ creators: [node.origin, next.origin] })
      await expect(uploadTrack(connection, account, source)).rejects.toMatchObject({
        name: 'ApiError',
        status,
        message: 'not like this',
      })
      expect(next.requests).toEqual([])
    },
  )

  test.each([
    [401, {}],
    [403, {}],
    [413, {}],
    [429, { 'retry-after': '3600' }],
    [507, { 'retry-after': '3600' }],
  ])('after a %i of one node the next one is asked', async (status, headers) => {
    const node = await creator({ intercept: refuse(status, 'not here', headers) })
    const next = await creator()
    const connection = connectionTo({ creators: [node.origin, next.origin] })
    const upload = await uploadTrack(connection, account, source, { subject })
    expect(upload).toMatchObject({ subject, state: 'ready' })
    expect(node.requests).toEqual(Array(node.requests.length).fill('POST /uploads'))
    await expect(
      uploadTrack(connectionTo({ creators: [node.origin] }), account, source),
    ).rejects.toMatchObject({ status, message: 'not here' })
  })

  test('when a node dies half-way and stays away, the next one gets all of it', async () => {
    const dying = await creator()
    const disk = await newDisk()
    const next = await creator({ disk })
    const memory = mapMemory()
    let closed: Promise<unknown> | undefined
    const upload = await uploadTrack(
      connectionTo({ creators: [dying.origin, next.origin] }),
      account,
      source,
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
    await expect(received(disk, upload.id)).resolves.toBe(sha256(bytes))
    expect([...memory.saved.values()]).toMatchObject([{ node: next.origin }])
  })

  test('when a node fails at its own work, the next one is asked', async () => {
    const failing = await creator({
      onReceived: (id, node) =>
        node.change(id, { state: 'failed', problem: 'processingFailed', reason: 'disk' }),
    })
    const next = await creator()
    const connection = connectionTo({ creators: [failing.origin, next.origin] })
    await expect(uploadTrack(connection, account, source)).resolves.toMatchObject(ready)
    const alone = uploadTrack(connectionTo({ creators: [failing.origin] }), account, source)
    await expect(alone).rejects.toMatchObject({ name: 'UploadFailed', message: 'disk' })
  })

  test('a file that is no audio is not sent to another node', async () => {
    const node = await creator({
      onReceived: (id, self) =>
        self.change(id, { state: 'failed', problem: 'notAudio', reason: 'no audio in it' }),
    })
    const next = await creator()
    const memory = mapMemory()
    const connection = connectionTo({ creators: [node.origin, next.origin] })
    const failure = await uploadTrack(connection, account, source, { memory }).catch(
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(UploadFailed)
    expect(failure).toMatchObject({ message: 'no audio in it', upload: { problem: 'notAudio' } })
    expect(next.requests).toEqual([])
    expect(memory.saved.size).toBe(0)
  })

  test('a node that is away from the start is left for the next one', async () => {
    const gone = await serve(() => undefined)
    await gone.close()
    const node = await creator()
    const connection = connectionTo({ creators: [gone.origin, node.origin] })
    await expect(uploadTrack(connection, account, source, { patienceMs: 100 })).resolves.toMatchObject(ready)
    const none = uploadTrack(connectionTo(), account, source)
    await expect(none).rejects.toThrow('no creator node is known')
  })

  test('errors of ours are no fault of the node', async () => {
    const node = await creator()
    const connection = connectionTo({ creators: [node.origin] })
    const denied = { ...account, signer: deniesTokens() }
    await expect(uploadTrack(connection, denied, source)).rejects.toThrow('the user said no')
    const torn = Object.assign(new Blob([bytes]), {
      slice: () => ({ arrayBuffer: () => Promise.reject(new Error('the disk was removed')) }),
    })
    await expect(
      uploadTrack(connection, account, { ...source, content: torn as unknown as Blob }),
    ).rejects.toThrow('the disk was removed')
    const full: UploadMemory = { ...mapMemory(), save: () => Promise.reject(new Error('no space left')) }
    await expect(uploadTrack(connection, account, source, { memory: full })).rejects.toThrow('no space left')
  })

  test('can be called off while it waits for a node', async () => {
    const gone = await serve(() => undefined)
    await gone.close()
    const stop = new AbortController()
    const upload = uploadTrack(connectionTo({ creators: [gone.origin] }), account, source, {
      signal: stop.signal,
    })
    setImmediate(() => stop.abort(new Error('never mind')))
    await expect(upload).rejects.toThrow('never mind')
  })
})

describe('following an upload', () => {
  test('survives a node that restarts, and misses no final state', async () => {
    const disk = await newDisk()
    const states: string[] = []
    const sent = Promise.withResolvers<string>()
    const first = await creator({ disk, onReceived: (id) => sent.resolve(id) })
    const upload = uploadTrack(connectionTo({ creators: [first.origin] }), account, source, {
      onProgress: (step) =>
        step.step === 'node' && states.push(`${step.upload.version} ${step.upload.state}`),
    })
    const id = await sent.promise
    first.change(id, { state: 'processing' })
    await until('processing is heard of', () => states.includes('3 processing'))
    await first.close()
    const second = await creator({ disk, port: first.port })
    await until('the restarted node is followed', () => second.followers() > 0)
    second.change(id, { state: 'replicating' })
    second.change(id, ready)
    await expect(upload).resolves.toMatchObject({ state: 'ready', version: 5 })
    expect(states).toEqual(expect.arrayContaining(['3 processing', '4 replicating', '5 ready']))
    expect(new Set(states).size).toBe(states.length)
  })

  test('takes a cut stream up again with the last version', async () => {
    const disk = await newDisk()
    const lastIds: (string | undefined)[] = []
    const node = await creator({
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
    const upload = uploadTrack(connectionTo({ creators: [node.origin] }), account, source)
    await until('the stream is asked for again', () => lastIds.length > 1)
    const [id = ''] = disk.uploads.keys()
    node.change(id, ready)
    await expect(upload).resolves.toMatchObject(ready)
    expect(lastIds).toEqual(['2', '2'])
  })

  test('gives a node up that stays away', async () => {
    const node = await creator({ onReceived: (_id, self) => void self.close() })
    const upload = uploadTrack(connectionTo({ creators: [node.origin] }), account, source, {
      patienceMs: 700,
    })
    await expect(upload).rejects.toMatchObject({ name: 'ApiError', status: 0 })
  })

  test('does not believe everything that comes', async () => {
    const answers = [
      (response: Response_) => response.end('event: upload\nid: 9\ndata: {"state":"ready"}\n\n'),
      (response: Response_) => response.end(': nothing to say\n\n'),
      (response: Response_) =>
        response.end(
          `event: other\ndata: 1\n\nevent: upload\ndata: ${JSON.stringify(uploadAnswer(ready))}\n\n`,
        ),
    ]
    const node = await creator({
      onReceived: () => undefined,
      intercept: (request, response) => {
        if (!request.url?.endsWith('/events')) return false
        answers.shift()?.(response.writeHead(200, { 'content-type': 'text/event-stream' }))
        return true
      },
    })
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, source)
    expect(upload).toEqual(uploadAnswer(ready))
    expect(answers).toEqual([])
  })
})

type Response_ = Parameters<NonNullable<Options['intercept']>>[1]

function refuse(
  status: number,
  detail: string,
  headers: Record<string, string> = {},
): NonNullable<Options['intercept']> {
  return (_request, response) => {
    answerProblem(response, status, detail, headers)
    return true
  }
}

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
