import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { type UploadAnswer, uploadAnswerSchema } from '@hexachord/protocol/rest'
import { createToken } from '@hexachord/protocol/tokens'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { aSubject, idOf, refusalOf, type SendOptions, sendFile, tokenOf } from '../fixtures/send-file.ts'
import { makeMusic } from '../fixtures/test-music.ts'
import { fresh } from '../fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from '../fixtures/test-world.ts'

let world: TestWorld
let song: string
beforeAll(async () => {
  world = await startTestWorld({
    env: { DAILY_BYTES: '20MB', DAILY_BYTES_PER_KEY: '6MB', MAX_UPLOAD_BYTES: '5MB' },
  })
  song = await makeMusic(world.folder, 'song.mp3', { seconds: 8, options: ['-b:a', '96k'] })
}, 60_000)
afterAll(() => world.close())

const send = (options?: SendOptions & { author?: ReturnType<typeof fresh>; file?: string | Buffer }) =>
  sendFile(world.node, options?.author ?? fresh(), options?.file ?? song, options)

describe('an upload is refused', () => {
  test('without a token', async () => {
    const headers = { 'Tus-Resumable': '1.0.0', 'Upload-Length': '1' }
    const response = await fetch(`${world.node.origin}/uploads`, { method: 'POST', headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    expect(await response.json()).toMatchObject({ type: 'urn:hexachord:problem:invalid-token', status: 401 })
  })

  test('with a token for another node, or one that is over', async () => {
    const author = fresh()
    for (const token of [
      { audience: 'https://elsewhere.example', expiresAt: Date.now() + 60_000 },
      { audience: world.node.origin, expiresAt: Date.now() - 60_000 },
    ]) {
      const response = await fetch(`${world.node.origin}/uploads`, {
        method: 'POST',
        headers: {
          ...{ 'Tus-Resumable': '1.0.0', 'Upload-Length': '1' },
          Authorization: await createToken(author, world.node.domain, token),
        },
      })
      expect(response.status).toBe(401)
    }
  })

  test.each<[string, () => SendOptions, { status: number; type: string }]>([
    [
      'that is too large',
      () => ({ file: Buffer.alloc(5_000_001) }) as object,
      { status: 413, type: 'file-too-large' },
    ],
    [
      'with a grant for another node',
      () => ({ grant: { audience: 'https://elsewhere.example' } }),
      { status: 403, type: 'invalid-grant' },
    ],
    [
      'with a grant that is over',
      () => ({ grant: { expiresAt: 1 } }),
      { status: 403, type: 'invalid-grant' },
    ],
    ['with the grant of a stranger', () => ({ signer: fresh() }), { status: 403, type: 'not-the-author' }],
    [
      "for somebody else's track",
      () => ({ subject: aSubject(fresh()) }),
      { status: 403, type: 'not-the-author' },
    ],
    [
      'with a grant that is none',
      () => ({ metadata: { grant: '{}' } }),
      { status: 400, type: 'invalid-request' },
    ],
    [
      'with a name that is too long',
      () => ({ metadata: { filename: 'x'.repeat(300) } }),
      { status: 400, type: 'invalid-request' },
    ],
    [
      'for the number that is the author',
      () => ({ subject: undefined }),
      { status: 400, type: 'wrong-subject' },
    ],
  ])('%s', async (_, options, expected) => {
    const author = fresh()
    const given = options()
    const subject = 'subject' in given ? { subject: given.subject ?? aSubject(author, 0n) } : {}
    expect(await refusalOf(send({ author, ...given, ...subject }))).toEqual(expected)
  })

  test('when the budget of its key is spent, and that of another is not', async () => {
    const author = fresh()
    const file = Buffer.alloc(4_000_000)
    await send({ author, file })
    expect(await refusalOf(send({ author, file }))).toEqual({ status: 429, type: 'budget-spent' })
    await send({ file: Buffer.alloc(1_000) })
  }, 30_000)

  test('by an operator who publishes for some only', async () => {
    const friend = fresh()
    const closed = await startTestWorld({ env: { PUBLISHERS: `allowlist:${friend.address}` } })
    try {
      expect(await refusalOf(sendFile(closed.node, fresh(), song))).toEqual({
        status: 403,
        type: 'not-a-publisher',
      })
      expect(await refusalOf(sendFile(closed.node, friend, song))).toBeNull()
    } finally {
      await closed.close()
    }
  }, 30_000)

  test('when the disk has no room for it', async () => {
    const full = await startTestWorld({ env: { FREE_DISK_BYTES: '1000000GB' } })
    try {
      expect(await refusalOf(sendFile(full.node, fresh(), song))).toEqual({ status: 507, type: 'disk-full' })
    } finally {
      await full.close()
    }
  }, 30_000)
})

describe('an upload that is interrupted', () => {
  test('goes on where it was, also after the node was started anew', async () => {
    const author = fresh()
    const file = await makeMusic(world.folder, 'resumed.flac', { seconds: 8 })
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const first = send({
      ...{ author, file, chunkBytes: 200_000 },
      onChunk(accepted, upload) {
        if (accepted < 400_000) return
        upload.abort().then(() => resolve(upload.url ?? ''), reject)
      },
    })
    const url = await promise
    // Aborted on purpose: it neither succeeds nor fails.
    void first
    const id = idOf({ url })
    await world.node.stop()
    await world.node.start()
    const head = await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
    expect(Number(head.headers.get('upload-offset'))).toBeGreaterThanOrEqual(400_000)
    expect(await world.node.upload(id)).toMatchObject({ state: 'receiving', receivedBytes: 400_000 })
    expect(await send({ author, file, url, chunkBytes: 500_000 })).toBe(id)
    expect(await world.until(id, 'replicating')).toMatchObject({ source: { codec: 'flac' } })
  }, 90_000)

  test('can be continued and deleted by its account only', async () => {
    const author = fresh()
    const url = await begun(author)
    const stranger = await tokenOf(fresh(), world.node)
    const patch = await fetch(url, {
      method: 'PATCH',
      headers: {
        ...{ 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0', Authorization: stranger },
        'Content-Type': 'application/offset+octet-stream',
      },
      body: 'x',
    })
    expect(patch.status).toBe(403)
    const headers = { 'Tus-Resumable': '1.0.0', Authorization: stranger }
    expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(403)
    expect(await world.node.upload(idOf({ url }))).toMatchObject({ state: 'receiving' })
  })

  test('can be taken back: its file goes, and so does what it had spent', async () => {
    const author = fresh()
    const url = await begun(author, 4_000_000)
    const headers = { 'Tus-Resumable': '1.0.0', Authorization: await tokenOf(author, world.node) }
    expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(204)
    const id = idOf({ url })
    expect(await world.node.upload(id)).toMatchObject({ state: 'cancelled' })
    expect(await readdir(join(world.node.directory, 'sources'))).not.toContain(id)
    expect((await fetch(url, { method: 'HEAD', headers })).status).toBe(410)
    await begun(author, 4_000_000)
  })

  test('with a wrong offset is told so, and loses nothing', async () => {
    const author = fresh()
    const url = await begun(author)
    const headers = {
      ...{ 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream' },
      Authorization: await tokenOf(author, world.node),
    }
    const patch = (offset: number) =>
      fetch(url, { method: 'PATCH', headers: { ...headers, 'Upload-Offset': String(offset) }, body: 'abc' })
    expect((await patch(0)).status).toBe(204)
    const wrong = await patch(1)
    expect([wrong.status, wrong.headers.get('content-type')]).toEqual([
      409,
      'application/problem+json; charset=utf-8',
    ])
    expect((await patch(3)).status).toBe(204)
  })

  test('by a connection that breaks keeps every byte that has arrived', async () => {
    const author = fresh()
    const url = await begun(author, 1_000_000)
    const headers = {
      ...{ 'Tus-Resumable': '1.0.0', 'Upload-Offset': '0', 'Content-Length': '1000000' },
      ...{
        'Content-Type': 'application/offset+octet-stream',
        Authorization: await tokenOf(author, world.node),
      },
    }
    const broken = request(url, { method: 'PATCH', headers })
    broken.on('error', () => undefined)
    broken.write(randomBytes(300_000))
    const file = join(world.node.directory, 'sources', idOf({ url }))
    const arrived = {
      describe: 'the bytes have arrived',
      deadlineMs: 10_000,
      until: (size: number) => size >= 300_000,
    }
    await eventually(async () => (await stat(file)).size, arrived)
    broken.destroy()
    const offset = async () => {
      const head = await fetch(url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })
      return Number(head.headers.get('upload-offset'))
    }
    expect(await eventually(offset, arrived)).toBe(300_000)
  }, 30_000)

  test('refused with a large body leaves the connection of use', async () => {
    const author = fresh()
    const url = await begun(author, 4_000_000)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const authorization = await tokenOf(author, world.node)
    const patch = (offset: string) =>
      new Promise<number>((resolve, reject) => {
        const headers = {
          ...{ 'Tus-Resumable': '1.0.0', 'Upload-Offset': offset, Authorization: authorization },
          'Content-Type': 'application/offset+octet-stream',
        }
        const sent = request(url, { agent, method: 'PATCH', headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0))
        })
        sent.once('error', reject).end(randomBytes(3_000_000))
      })
    try {
      expect(await patch('17')).toBe(409)
      expect(await patch('0')).toBe(204)
    } finally {
      agent.destroy()
    }
  }, 30_000)

  /** An upload of which nothing was sent yet. @returns its URL */
  async function begun(author: ReturnType<typeof fresh>, bytes = 1_000): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>()
    const sending = send({
      author,
      file: randomBytes(bytes),
      onUrl: (url, upload) => {
        upload.abort().then(() => resolve(url), resolve)
      },
    })
    void sending
    return promise
  }
})

describe('what becomes of an upload', () => {
  test('is told as it happens, from the version last seen', async () => {
    const id = await send()
    const events = await readEvents(
      `${world.node.origin}/uploads/${id}/events`,
      ({ state }) => state === 'replicating',
    )
    const versions = events.map(({ version }) => version)
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
    expect(events.at(-1)).toMatchObject({ state: 'replicating', track: { manifest: expect.any(String) } })
    const last = versions.at(-1) ?? 0
    const again = await readEvents(`${world.node.origin}/uploads/${id}/events`, () => true, last - 1)
    expect(again.map(({ version }) => version)[0]).toBeGreaterThanOrEqual(last)
  }, 60_000)

  test('ends the stream when it has ended', async () => {
    const id = await send({ file: Buffer.from('this is no music') })
    const events = await readEvents(`${world.node.origin}/uploads/${id}/events`, () => false)
    expect(events.at(-1)).toMatchObject({ state: 'failed', problem: 'notAudio' })
  }, 30_000)

  test('is not known of one that never was', async () => {
    for (const path of ['/uploads/nothing', '/uploads/nothing/events']) {
      const response = await fetch(world.node.origin + path)
      expect([response.status, response.headers.get('content-type')]).toEqual([
        404,
        'application/problem+json; charset=utf-8',
      ])
    }
  })
})

test('a name that leads elsewhere is a name like any other', async () => {
  const id = await send({ metadata: { filename: '../../etc/passwd\u0000.mp3' } })
  expect(await world.until(id, 'replicating')).toMatchObject({ filename: '../../etc/passwd\u0000.mp3' })
}, 30_000)

test('a file whose hash is not the promised one is not made into a track', async () => {
  const id = await send({ metadata: { sha256: `0x${'5'.repeat(64)}` } })
  expect(await world.ended(id)).toMatchObject({ state: 'failed', problem: 'checksumMismatch' })
}, 30_000)

test('an upload whose last byte came just before a crash is worked on after it', async () => {
  const author = fresh()
  const id = await send({ author })
  await eventually(() => world.node.upload(id), {
    ...{ describe: 'the upload is on its way', deadlineMs: 30_000 },
    until: ({ state }) => state !== 'receiving',
  })
  await world.node.stop()
  await world.node.start()
  expect(await world.until(id, 'replicating')).toMatchObject({ track: { durationMs: 8_000 } })
}, 60_000)

/** Reads events until one is enough, or the stream ends. */
async function readEvents(
  url: string,
  isEnough: (upload: UploadAnswer) => boolean,
  lastSeen?: number,
): Promise<UploadAnswer[]> {
  const abort = new AbortController()
  const headers = new Headers(lastSeen === undefined ? [] : [['Last-Event-ID', String(lastSeen)]])
  const response = await fetch(url, { headers, signal: abort.signal })
  const events: UploadAnswer[] = []
  let text = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += new TextDecoder().decode(chunk)
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = /^event: upload\nid: (\d+)\ndata: (.*)$/.exec(block)
      if (data === null) continue
      const upload = uploadAnswerSchema.parse(JSON.parse(data[2] ?? ''))
      expect(upload.version).toBe(Number(data[1]))
      events.push(upload)
    }
    const last = events.at(-1)
    if (last !== undefined && isEnough(last)) break
  }
  abort.abort()
  return events
}
