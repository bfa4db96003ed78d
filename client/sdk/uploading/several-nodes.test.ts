import type { UploadTerms } from '@hexachord/protocol/rest'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  type CreatorNode,
  type Creators,
  connectionTo,
  createCreators,
  mapMemory,
  receivedSha256,
  refuseAll,
  sourceFile,
  sourceFileSha256,
  subject,
  until,
} from '../fixtures/index.ts'
import { cancelLeftUploads, type Progress, rankCreators, uploadTrack } from './index.ts'

let creators: Creators
beforeEach(() => {
  creators = createCreators()
})
afterEach(() => creators.close())

const allowance = { left: 10 ** 12, perDay: 10 ** 12 }

function termsOf(changes: Partial<UploadTerms> = {}): UploadTerms {
  return {
    acceptsUploads: true,
    publishers: 'open',
    maximumBytes: 3 * 2 ** 30,
    roomBytes: 2 ** 40,
    receiving: 0,
    queued: 0,
    processing: 0,
    maximumOpen: 1000,
    maximumOpenPerAccount: 100,
    today: { bytes: allowance, gas: allowance, actions: allowance },
    ...changes,
  }
}

const originsOf = (nodes: readonly CreatorNode[]) => nodes.map(({ origin }) => origin)

describe('of several creator nodes', () => {
  test('one with room and little to do comes first, then those that do not say, then those that refuse', async () => {
    const full = await creators.start({ terms: termsOf({ roomBytes: 5 }) })
    const spent = await creators.start({
      terms: termsOf({ today: { bytes: { left: 5, perDay: 10 }, gas: allowance, actions: allowance } }),
    })
    const closed = await creators.start({ terms: termsOf({ acceptsUploads: false, reason: 'is leaving' }) })
    const silent = await creators.start()
    const busy = await creators.start({ terms: termsOf({ queued: 3, processing: 2 }) })
    const idle = await creators.start({ terms: termsOf() })
    const nodes = [full, spent, closed, silent, busy, idle]
    const ranked = await rankCreators(connectionTo(), originsOf(nodes), { byteLength: 1000 })
    expect(ranked.map(({ origin }) => origin)).toEqual(originsOf([idle, busy, silent, full, spent, closed]))
    expect(ranked.slice(3).map(({ refusal }) => refusal)).toEqual([
      'has room for 5 bytes',
      'takes 5 bytes more today',
      'is leaving',
    ])
  })

  test('the fit one gets the file, whatever their order, and the others nothing', async () => {
    const full = await creators.start({ terms: termsOf({ roomBytes: 5 }) })
    const fit = await creators.start({ terms: termsOf() })
    const upload = await uploadTrack(connectionTo({ creators: originsOf([full, fit]) }), account, sourceFile)
    expect(upload.state).toBe('ready')
    expect(full.requests).toEqual(['GET /uploads'])
    expect(fit.requests).toContain('POST /uploads')
  })

  test('the next takes over from one that dies, as the same track; what that one had is given up when it is back', async () => {
    const dyingDisk = await creators.newDisk()
    const dying = await creators.start({ disk: dyingDisk })
    const disk = await creators.newDisk()
    const received = Promise.withResolvers<string>()
    const next = await creators.start({ disk, onReceived: (id) => received.resolve(id) })
    const memory = mapMemory()
    const steps: Progress[] = []
    let closed: Promise<unknown> | undefined
    const upload = uploadTrack(connectionTo({ creators: originsOf([dying, next]) }), account, sourceFile, {
      memory,
      patienceMs: 1_000,
      onProgress: (step) => {
        steps.push(step)
        if (step.step === 'sending' && step.sentBytes > 5 << 20) closed ??= dying.close()
      },
    })
    const id = await received.promise
    await closed
    const back = await creators.start({ disk: dyingDisk, port: dying.port })
    await until('the first node is told', () => back.requests.some((line) => line.startsWith('DELETE')))
    await until('what it had is forgotten', () => memory.saved.size === 1)
    next.change(id, { state: 'ready' })

    const { subject: name } = await upload
    expect([...dyingDisk.uploads.values()]).toMatchObject([{ subject: name, state: 'cancelled' }])
    await expect(receivedSha256(disk, id)).resolves.toBe(sourceFileSha256)
    expect(steps.filter(({ step }) => step === 'moving')).toEqual([
      { step: 'moving', node: next.origin, reason: expect.stringContaining(dying.origin) },
    ])
    expect([...memory.saved.values()]).toEqual([
      { subject: name, node: next.origin, url: `${next.origin}/uploads/${id}`, filename: 'song.flac' },
    ])
  })

  test('one that stayed away until the end is told by a later call', async () => {
    const dyingDisk = await creators.newDisk()
    const dying = await creators.start({ disk: dyingDisk })
    const next = await creators.start()
    const memory = mapMemory()
    let closed: Promise<unknown> | undefined
    const connection = connectionTo({ creators: originsOf([dying, next]) })
    await uploadTrack(connection, account, sourceFile, {
      memory,
      patienceMs: 500,
      onProgress: (step) => {
        if (step.step === 'sending' && step.sentBytes > 5 << 20) closed ??= dying.close()
      },
    })
    await closed
    await expect(cancelLeftUploads(connection, account, memory)).resolves.toEqual({
      cancelled: 0,
      remaining: 1,
    })
    await creators.start({ disk: dyingDisk, port: dying.port })
    await expect(cancelLeftUploads(connection, account, memory)).resolves.toEqual({
      cancelled: 1,
      remaining: 0,
    })
    expect([...dyingDisk.uploads.values()]).toMatchObject([{ state: 'cancelled' }])
    expect(memory.saved.size).toBe(1)
  })

  test('the next takes over where copies cannot be had', async () => {
    const refused = await creators.start({
      onReceived: (id, node) => node.change(id, { state: 'failed', problem: 'refusedByAll', reason: 'no' }),
    })
    const next = await creators.start()
    const upload = await uploadTrack(
      connectionTo({ creators: originsOf([refused, next]) }),
      account,
      sourceFile,
      { subject },
    )
    expect(upload).toMatchObject({ state: 'ready', subject })
  })

  test('the next takes over from one that runs out of room in the middle', async () => {
    const full = await creators.start({
      intercept: (request, response) =>
        request.method === 'PATCH' && refuseAll(507, 'full', { 'retry-after': '3600' })(request, response),
    })
    const next = await creators.start()
    const connection = connectionTo({ creators: originsOf([full, next]) })
    await expect(uploadTrack(connection, account, sourceFile)).resolves.toMatchObject({ state: 'ready' })
    // It was there all the time, and was told.
    await until('the first node is told', () => full.requests.some((line) => line.startsWith('DELETE')))
  })
})

describe('a creator node', () => {
  test('that has had the file before gets no byte of it', async () => {
    const sha256 = `0x${sourceFileSha256}` as const
    const node = await creators.start({ known: [sha256] })
    const source = { ...sourceFile, sha256: async () => sha256 }
    const connection = connectionTo({ creators: [node.origin] })
    await expect(uploadTrack(connection, account, source)).resolves.toMatchObject({ reused: true })
    expect(node.requests.filter((line) => !line.startsWith('GET'))).toEqual(['POST /uploads'])
  })

  test('that takes only whom it has invited is given the invite, once', async () => {
    const node = await creators.start({ invites: ['six-notes'] })
    const connection = connectionTo({ creators: [node.origin] })
    await expect(uploadTrack(connection, account, sourceFile)).rejects.toMatchObject({ status: 403 })
    await expect(uploadTrack(connection, account, sourceFile, { invite: 'wrong' })).rejects.toMatchObject({
      status: 403,
      message: 'unknown',
    })
    const upload = uploadTrack(connection, account, sourceFile, { invite: 'six-notes' })
    await expect(upload).resolves.toMatchObject({ state: 'ready' })
  })

  test('is asked to keep the original, and may store so many bytes more', async () => {
    const node = await creators.start()
    const connection = connectionTo({ creators: [node.origin] })
    const plain = await uploadTrack(connection, account, sourceFile)
    const kept = await uploadTrack(connection, account, sourceFile, { keepOriginal: true })
    const limit = (id: string) => JSON.parse(node.metadata(id).grant ?? '').byteLimit
    expect(node.metadata(kept.id)).toMatchObject({ keepOriginal: 'true' })
    expect(limit(kept.id) - limit(plain.id)).toBe(sourceFile.content.size)
  })
})
