import { openAction, type SignedAction, signedActionSchema } from '@hexachord/protocol/actions'
import type { Track } from '@hexachord/protocol/rest'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerJson,
  answerProblem,
  connectionTo,
  domain,
  type HttpServer,
  serve,
  subject,
  trackOf,
  uploadAnswer,
} from '../fixtures/index.ts'
import { assertPublishable, detailsOf, publishTrack, ReceiptsOutdated, type TrackDetails } from './index.ts'

const { track: loaded } = await exampleTrack()
const facts = {
  manifest: loaded.cid,
  storageRoot: `0x${'11'.repeat(32)}`,
  leafCount: 1,
  byteLength: loaded.byteLength,
  durationMs: loaded.manifest.durationMs,
} as const
const operator = `0x${'1'.padStart(40, '0')}` as const
const signature = `0x${'12'.repeat(65)}`
const receipt = { operator, subject, ...facts, blockNumber: 5, validUntil: 9, signature }
const upload = uploadAnswer({ state: 'ready', track: facts, receipts: [receipt] })
const details: TrackDetails = { title: 'Six notes', artist: 'Guido', licence: 'CC0-1.0', rightsHeld: true }

/** One server is discovery and creator node: it applies what it is given at once. */
let server: HttpServer
let published: Track | undefined
let actions: SignedAction[]
let accepts: (signed: SignedAction) => boolean
const connection = () => connectionTo({ discovery: server.origin, creators: [server.origin] })

beforeEach(async () => {
  published = undefined
  actions = []
  accepts = () => true
  server = await serve(async (request, response) => {
    if (request.url === '/actions') {
      let body = ''
      for await (const chunk of request) body += chunk
      const signed = signedActionSchema.parse(JSON.parse(body))
      const { hash } = openAction(signed, domain)
      if (!accepts(signed)) {
        const type = 'urn:hexachord:problem:invalid-receipt'
        const problem = { type, title: 'Action would be rejected', status: 422, detail: 'not among them' }
        return answerJson(response, problem, 422)
      }
      actions.push(signed)
      const { title } = JSON.parse(signed.content)
      const last = { block: 1, logIndex: 0, digest: hash }
      published = trackOf(subject, loaded, ['https://holder.example'], { title, last })
      return answerJson(response, { hash }, 202)
    }
    if (request.url?.startsWith('/v1/actions/')) {
      return answerJson(response, { hash: request.url.slice('/v1/actions/'.length), status: 'applied' })
    }
    return published ? answerJson(response, published) : answerProblem(response, 404, 'no such track')
  })
})
afterEach(() => server.close())

describe('publishing', () => {
  test('writes what the artist says and the operators signed, and reads it back', async () => {
    const track = await publishTrack(connection(), account, upload, details)
    expect(track).toEqual({ ...published, terms: null })
    expect(JSON.parse(actions[0]?.content ?? '')).toEqual({
      prev: null,
      ...facts,
      ...details,
      receipts: [{ operator, blockNumber: 5, validUntil: 9, signature }],
    })
  })

  test('builds on what is there', async () => {
    await publishTrack(connection(), account, upload, details)
    await publishTrack(connection(), account, upload, { ...details, title: 'Six other notes' })
    expect(JSON.parse(actions[1]?.content ?? '')).toMatchObject({ title: 'Six other notes' })
    expect(JSON.parse(actions[1]?.content ?? '').prev).toMatch(/^0x[0-9a-f]{64}$/)
  })

  test('can be repeated: the same is not published twice', async () => {
    const first = await publishTrack(connection(), account, upload, details)
    await expect(publishTrack(connection(), account, upload, details)).resolves.toEqual(first)
    expect(actions).toHaveLength(1)
  })

  test('goes on after a crash with what was signed: the same action, not a second one', async () => {
    let kept: SignedAction | undefined
    const crash = publishTrack(connection(), account, upload, details, {
      onSigned: async (signed) => {
        kept = signed
        throw new Error('killed')
      },
    })
    await expect(crash).rejects.toThrow('killed')
    expect(actions).toEqual([])
    const track = await publishTrack(connection(), account, upload, details, { signed: kept })
    expect(actions).toEqual([kept])
    expect(track.last.digest).toBe(kept && openAction(kept, domain).hash)
  })

  test('tells each step on its way to everybody', async () => {
    const steps: string[] = []
    await publishTrack(connection(), account, upload, details, {
      onProgress: ({ step, status }) => steps.push(`${step} ${status}`),
    })
    expect(steps).toEqual(['publishing sent', 'publishing applied'])
  })

  describe('with a receipt that does not count any more', () => {
    const renewed = { ...receipt, signature: `0x${'34'.repeat(65)}` }
    const refusingFirst = () => {
      accepts = (signed) => JSON.parse(signed.content).receipts[0].signature === renewed.signature
    }

    test('says what to do', async () => {
      refusingFirst()
      const publishing = publishTrack(connection(), account, upload, details)
      await expect(publishing).rejects.toThrow(ReceiptsOutdated)
      await expect(publishing).rejects.toThrow('upload it again')
    })

    test('waits until the upload has others, and goes on by itself', async () => {
      refusingFirst()
      const answers = [upload, { ...upload, receipts: [renewed] }]
      const track = await publishTrack(connection(), account, upload, details, {
        renew: async () => answers.shift() ?? upload,
      })
      expect(track).toEqual({ ...published, terms: null })
      expect(answers).toEqual([])
      expect(actions).toHaveLength(1)
    })
  })

  test('of a track that is replaced proposes what was said of it before', () => {
    const said: TrackDetails = { ...details, genre: 'chant', tags: ['old'], unlisted: true }
    const track = trackOf(subject, loaded, [], { ...said, tags: ['old'], unlisted: true })
    expect(detailsOf(track)).toEqual(said)
    const { title, artist, licence } = details
    const plain = trackOf(subject, loaded, [], { title, artist, licence })
    expect(detailsOf(plain)).toEqual(details)
  })

  test('is not for an upload that is not ready', async () => {
    await expect(publishTrack(connection(), account, uploadAnswer(), details)).rejects.toThrow('ready')
  })

  test.each([
    ['a title of two lines', { title: 'a\nb' }, 'title: '],
    ['no title', { title: '' }, 'title: '],
    ['a licence that is none', { licence: 'do what you want' }, 'licence: '],
    ['too many tags', { tags: Array(11).fill('a') }, 'tags: '],
  ])('refuses %s before any work', (_, changes, message) => {
    expect(() => assertPublishable({ ...details, ...changes })).toThrow(message)
    expect(() => assertPublishable(details)).not.toThrow()
  })
})
