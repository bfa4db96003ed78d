import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type UploadAnswer, uploadAnswerSchema, uploadTermsSchema } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { makeRecording } from './recordings.ts'
import { createUpload, grantFor, newSubject, sendBytes } from './tus.ts'

const network = testNetwork()
const { creator, content } = network.urls

let folder: TemporaryFolder
let artist: Artist
let file: Uint8Array<ArrayBuffer>
let sha256: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  file = new Uint8Array(await readFile(await makeRecording(folder.path, { name: 'kept', seconds: 7 })))
  sha256 = `0x${createHash('sha256').update(file).digest('hex')}`
}, 60_000)
afterAll(() => folder?.remove())

/** Begins an upload of the file. @returns its URL, and how much of it the node says it has */
async function begin(metadata: Record<string, string> = {}) {
  const created = await createUpload(creator, {
    authorization: await artist.token(),
    byteLength: file.length,
    metadata: { filename: 'kept.flac', grant: await grantFor(artist, creator), ...metadata },
  })
  expect(created.status).toBe(201)
  return { url: created.headers.get('location') ?? '', offset: created.headers.get('upload-offset') }
}

async function answerOf(url: string): Promise<UploadAnswer> {
  return uploadAnswerSchema.parse(await (await fetch(url)).json())
}

const ended = (url: string) =>
  eventually(() => answerOf(url), {
    describe: 'the upload has ended',
    deadlineMs: 90_000,
    until: ({ state }) => ['ready', 'failed', 'cancelled'].includes(state),
  })

describe('a file whose artist wants others to have it as it is', () => {
  let upload: UploadAnswer
  beforeAll(async () => {
    const { url } = await begin({ keepOriginal: 'true', filetype: 'audio/flac' })
    const authorization = await artist.token()
    const half = Math.floor(file.length / 2)
    await sendBytes(url, file.slice(0, half), { authorization })
    expect(await answerOf(url)).toMatchObject({ state: 'receiving', receivedBytes: half })
    // By another connection and with another token: only what is missing.
    const rest = { authorization: await artist.token(), offset: half }
    expect((await sendBytes(url, file.slice(half), rest)).status).toBe(204)
    upload = await ended(url)
    expect(upload).toMatchObject({ state: 'ready', reused: false, original: { doneBytes: file.length } })
    await artist.publish(upload, { title: 'Kept' })
  }, 120_000)

  test('is held whole by every operator that signed for the track', async () => {
    const manifest = upload.track?.manifest
    expect(upload.heldCopies).toBeGreaterThanOrEqual(Math.min(2, content.length))
    for (const { endpoint, state, blocks } of upload.replicas) {
      if (state !== 'held') continue
      expect(blocks).toBe(upload.blocks)
      const response = await fetch(`${endpoint}/originals/${manifest}`)
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'audio/flac'])
      const bytes = Buffer.from(await response.arrayBuffer())
      expect(`0x${createHash('sha256').update(bytes).digest('hex')}`).toBe(sha256)
      const part = await fetch(`${endpoint}/originals/${manifest}`, { headers: { range: 'bytes=10-19' } })
      expect([part.status, Buffer.from(await part.arrayBuffer())]).toEqual([
        206,
        Buffer.from(file.subarray(10, 20)),
      ])
    }
  }, 60_000)

  test('is not sent again for another track: its hash is enough, and the receipts are for the new name', async () => {
    const subject = newSubject(artist)
    const grant = await grantFor(artist, creator, { subject })
    const { url, offset } = await begin({ keepOriginal: 'true', sha256, grant })
    expect(offset).toBe(String(file.length))
    const again = await ended(url)
    expect(again).toMatchObject({ state: 'ready', reused: true, track: upload.track })
    expect(new Set(again.receipts.map((receipt) => receipt.subject))).toEqual(new Set([subject]))
    await artist.publish(again, { title: 'Kept twice' })
  }, 120_000)
})

test('a creator node says what it takes, before anything is sent', async () => {
  const headers = { authorization: await artist.token() }
  const terms = uploadTermsSchema.parse(await (await fetch(`${creator}/uploads`, { headers })).json())
  expect(terms).toMatchObject({
    ...{ acceptsUploads: true, publishers: 'open' },
    you: { account: artist.account.address, mayPublish: true },
  })
  expect(terms.roomBytes).toBeGreaterThan(0)
})

test('an upload that is taken back is gone, whatever it was doing', async () => {
  const { url } = await begin({ keepOriginal: 'false' })
  const authorization = await artist.token()
  await sendBytes(url, file.slice(0, 100), { authorization })
  const end = await fetch(url, { method: 'DELETE', headers: { 'tus-resumable': '1.0.0', authorization } })
  expect(end.status).toBe(204)
  expect(await answerOf(url)).toMatchObject({ state: 'cancelled' })
  expect((await sendBytes(url, file.slice(100), { authorization, offset: 100 })).status).toBe(410)
})
