import { openAction, type SignedAction, signedActionSchema } from '@hexachord/protocol/actions'
import { subjectOf } from '@hexachord/protocol/names'
import type { Comment, Track } from '@hexachord/protocol/rest'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerJson,
  answerProblem,
  connectionTo,
  domain,
  type HttpServer,
  readBody,
  serve,
  subject,
  trackOf,
} from '../fixtures/index.ts'
import { changeTrack, unpublish } from './index.ts'

const { track: loaded } = await exampleTrack()

/** One server is discovery and creator node: it applies what it is given at once. */
let server: HttpServer
let track: Track
let comment: Comment
let actions: SignedAction[]
const connection = () => connectionTo({ discovery: server.origin, creators: [server.origin] })
const contents = () => actions.map(({ content }) => JSON.parse(content))

beforeEach(async () => {
  actions = []
  track = trackOf(subject, loaded, [], { mood: 'calm', tags: ['bpm:124'], releaseAtMs: 5 })
  const { author, last } = track
  const id = subjectOf(author, 11n)
  comment = {
    ...{
      id,
      author,
      authorHandle: null,
      track: subject,
      root: null,
      replyTo: null,
      text: 'Ut',
      positionMs: null,
    },
    ...{ deleted: false, pinned: false, replyCount: 0, reactions: {}, createdAtMs: 1, updatedAtMs: 1, last },
  }
  server = await serve(async (request, response) => {
    if (request.url === '/actions') {
      const signed = signedActionSchema.parse(JSON.parse(await readBody(request)))
      const { hash } = openAction(signed, domain)
      actions.push(signed)
      if (signed.subject === comment.id) comment = { ...comment, deleted: true }
      else track = { ...track, last: { ...track.last, digest: hash } }
      return answerJson(response, { hash }, 202)
    }
    if (request.url?.startsWith('/v1/actions/')) {
      return answerJson(response, { hash: request.url.slice('/v1/actions/'.length), status: 'applied' })
    }
    if (request.url === `/v1/comments/${comment.id}`) return answerJson(response, comment)
    if (request.url === `/v1/tracks/${subject}`) return answerJson(response, track)
    return answerProblem(response, 404, 'nothing there')
  })
})
afterEach(() => server.close())

describe('a track of which something else is said', () => {
  test('keeps its audio, for which nobody signs again, and what is not said anew', async () => {
    const { manifest, storageRoot, leafCount, byteLength, durationMs } = track
    const prev = track.last.digest
    await changeTrack(connection(), account, subject, { title: 'Re', mood: null, isrc: 'GBA1B2345678' })
    expect(contents()).toEqual([
      {
        ...{ prev, manifest, storageRoot, leafCount, byteLength, durationMs, receipts: [], rightsHeld: true },
        ...{ title: 'Re', artist: 'Guido', licence: 'CC0-1.0', tags: ['bpm:124'], releaseAtMs: 5 },
        isrc: 'GBA1B2345678',
      },
    ])
  })

  test('takes no action where nothing is new, and none that is malformed', async () => {
    await changeTrack(connection(), account, subject, { mood: 'calm', title: undefined, album: null })
    await expect(changeTrack(connection(), account, subject, { isrc: 'XX' })).rejects.toThrow('isrc')
    expect(actions).toEqual([])
  })
})

test('a comment is unpublished like a track, once', async () => {
  const prev = comment.last.digest
  await unpublish(connection(), account, comment.id)
  await expect(unpublish(connection(), account, comment.id)).resolves.toBeUndefined()
  expect(actions.map(({ subject: name }) => name)).toEqual([comment.id])
  expect(contents()).toEqual([{ prev }])
  const unknown = subjectOf(account.address, 12n)
  await expect(unpublish(connection(), account, unknown)).rejects.toMatchObject({ status: 404 })
})
