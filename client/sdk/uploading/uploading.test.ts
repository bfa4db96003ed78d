import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerProblem,
  type CreatorNode,
  type CreatorOptions,
  type Creators,
  connectionTo,
  createCreators,
  mapMemory,
  receivedSha256,
  sourceFile,
  sourceFileSha256,
  subject,
} from '../fixtures/index.ts'
import { forgetUpload, type Progress, uploadTrack } from './index.ts'

let creators: Creators
beforeEach(() => {
  creators = createCreators()
})
afterEach(() => creators.close())

describe('uploading', () => {
  test('sends the file in pieces, and follows it until it is ready', async () => {
    const disk = await creators.newDisk()
    const node = await creators.start({ disk })
    const progress: Progress[] = []
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile, {
      subject,
      onProgress: (step) => progress.push(step),
    })
    expect(upload).toMatchObject({
      subject,
      state: 'ready',
      filename: 'song.flac',
      byteLength: sourceFile.content.size,
    })
    await expect(receivedSha256(disk, upload.id)).resolves.toBe(sourceFileSha256)
    expect(patches(node)).toBe(3)
    const sent = progress.flatMap((step) => (step.step === 'sending' ? step.sentBytes : []))
    expect(sent.at(-1)).toBe(sourceFile.content.size)
    expect(sent).toEqual(sent.toSorted((a, b) => a - b))
    expect(progress.at(-1)).toMatchObject({ step: 'ready', upload: { state: 'ready' }, node: node.origin })
    expect(node.followers()).toBe(0)
  })

  test('takes a fresh name for a fresh file', async () => {
    const node = await creators.start()
    const connection = connectionTo({ creators: [node.origin] })
    const one = await uploadTrack(connection, account, sourceFile)
    const two = await uploadTrack(connection, account, sourceFile)
    expect(one.subject).toMatch(new RegExp(`^${account.address}-\\d+$`))
    expect(two.subject).not.toBe(one.subject)
  })

  test('goes on after a connection that broke in a piece, with what the node has', async () => {
    const disk = await creators.newDisk()
    const node = await creators.start({ disk, intercept: cutPatch(1, 2 << 20) })
    const offsets: number[] = []
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile, {
      onProgress: (step) => step.step === 'sending' && offsets.push(step.sentBytes),
    })
    await expect(receivedSha256(disk, upload.id)).resolves.toBe(sourceFileSha256)
    expect(node.requests.filter((request) => request.startsWith('POST'))).toHaveLength(1)
    // Once to begin, and once after the break.
    expect(node.requests.filter((request) => request.startsWith('HEAD'))).toHaveLength(2)
  })

  test('goes on after a restart of the client', async () => {
    const disk = await creators.newDisk()
    const stop = new AbortController()
    const memory = mapMemory()
    const node = await creators.start({ disk })
    const connection = connectionTo({ creators: [node.origin] })
    const first = uploadTrack(connection, account, sourceFile, {
      memory,
      signal: stop.signal,
      onProgress: (step) => {
        if (step.step === 'sending' && step.sentBytes > 5 << 20) stop.abort(new Error('killed'))
      },
    })
    await expect(first).rejects.toThrow('killed')
    const [saved] = memory.saved.values()
    const before = patches(node)

    const upload = await uploadTrack(connection, account, sourceFile, { memory })
    expect(upload.subject).toBe(saved?.subject)
    expect(`${node.origin}/uploads/${upload.id}`).toBe(saved?.url)
    await expect(receivedSha256(disk, upload.id)).resolves.toBe(sourceFileSha256)
    // What was acknowledged is not sent again: the first piece of three at least.
    expect(patches(node) - before).toBeLessThanOrEqual(2)

    // Until it is published, the same command ends at the same upload, without a byte.
    const sent = patches(node)
    await expect(uploadTrack(connection, account, sourceFile, { memory })).resolves.toMatchObject({
      id: upload.id,
    })
    expect(patches(node)).toBe(sent)
    await forgetUpload(memory, account, sourceFile)
    const another = await uploadTrack(connection, account, sourceFile, { memory })
    expect(another.id).not.toBe(upload.id)
  })

  test('begins anew when the node has forgotten the upload', async () => {
    const node = await creators.start()
    const memory = mapMemory()
    const connection = connectionTo({ creators: [node.origin] })
    const key = `${account.address} ${sourceFile.fingerprint}`
    await memory.save(key, { subject, node: node.origin, url: `${node.origin}/uploads/gone` })
    const upload = await uploadTrack(connection, account, sourceFile, { memory })
    expect(upload).toMatchObject({ subject, state: 'ready' })
  })

  test('signs a new token before the old one expires', async () => {
    let now = Date.now()
    const headers = new Set<string | undefined>()
    const node = await creators.start({
      now: () => now,
      intercept: (request) => {
        if (request.method !== 'PATCH') return false
        headers.add(request.headers.authorization)
        now += 25 * 60_000
        return false
      },
    })
    await uploadTrack(connectionTo({ creators: [node.origin], now: () => now }), account, sourceFile)
    expect(headers.size).toBe(3)
  })

  test('signs a new token when the old one was refused', async () => {
    let refusals = 1
    const node = await creators.start({
      intercept: (request, response) => {
        if (request.method !== 'PATCH' || refusals === 0) return false
        refusals -= 1
        request.resume().on('end', () => answerProblem(response, 401, 'the token has expired'))
        return true
      },
    })
    await expect(
      uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile),
    ).resolves.toMatchObject({ state: 'ready' })
  })

  test.each([
    [503, 'restarting', { 'retry-after': '1' }],
    [429, 'slow down', { 'retry-after': '1' }],
    [423, 'locked', {}],
    [409, 'another offset', {}],
  ])('waits when the node answers %i in the middle', async (status, detail, headers) => {
    const disk = await creators.newDisk()
    let count = 0
    const node = await creators.start({
      disk,
      intercept: (request, response) => {
        if (request.method !== 'PATCH' || count++ !== 1) return false
        request.resume().on('end', () => answerProblem(response, status, detail, headers))
        return true
      },
    })
    const upload = await uploadTrack(connectionTo({ creators: [node.origin] }), account, sourceFile)
    await expect(receivedSha256(disk, upload.id)).resolves.toBe(sourceFileSha256)
  })
})

function patches(node: CreatorNode): number {
  return node.requests.filter((request) => request.startsWith('PATCH')).length
}

/** Cuts the connection of the n-th PATCH after some bytes of it have arrived. */
function cutPatch(n: number, afterBytes: number): NonNullable<CreatorOptions['intercept']> {
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
