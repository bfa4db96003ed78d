import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { UploadFailed } from '@hexachord/sdk/uploading'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { makeRecording, runProgram } from './recordings.ts'

const network = testNetwork()
let folder: TemporaryFolder
let artist: Artist

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
}, 20_000)
afterAll(() => folder?.remove())

/** Uploads a file of which no track can be made. @returns what the node says of it, to the client and to whoever asks later */
async function failed(file: string): Promise<UploadAnswer> {
  const error = await artist.upload(file).then(
    (upload) => upload,
    (reason: unknown) => reason,
  )
  if (!(error instanceof UploadFailed)) throw new Error(`${file} was not refused as a file`, { cause: error })
  const { upload } = error
  const later = await fetch(`${network.urls.creator}/uploads/${upload.id}`)
  expect(await later.json()).toMatchObject({
    state: 'failed',
    problem: upload.problem,
    reason: upload.reason,
  })
  expect(error.message).toBe(upload.reason)
  return upload
}

async function fileOf(name: string, bytes: string | Uint8Array): Promise<string> {
  const file = path.join(folder.path, name)
  await writeFile(file, bytes)
  return file
}

/** The first part of a file, as after a broken download. */
async function cutShort(file: string, part: number): Promise<string> {
  const bytes = await readFile(file)
  return fileOf(`cut-${path.basename(file)}`, bytes.subarray(0, Math.floor(bytes.length * part)))
}

describe('a file that is no recording', () => {
  test('a text is not audio', async () => {
    const upload = await failed(await fileOf('song.mp3', 'La la la, and so on.\n'.repeat(500)))
    expect(upload.problem).toBe('notAudio')
    expect(upload.reason).toMatch(/audio/i)
  })

  test('noise of random bytes is not audio', async () => {
    expect((await failed(await fileOf('random.flac', randomBytes(100_000)))).problem).toBe('notAudio')
  })

  test('a picture has no audio in it', async () => {
    const picture = path.join(folder.path, 'cover.png')
    await runProgram('ffmpeg', [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc=s=320x320',
      '-frames:v',
      '1',
      picture,
    ])
    expect(['noAudio', 'notAudio']).toContain((await failed(picture)).problem)
  })

  test('a playlist that names a file of the server reads nothing of it', async () => {
    const playlist = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n'
    const upload = await failed(await fileOf('list.m3u8', playlist))
    expect(upload.problem).toBe('notAudio')
    expect(upload.reason).not.toMatch(/passwd|root:/)
  })

  test('an empty file is told from all others', async () => {
    const { upload } = await artist.upload(await fileOf('empty.flac', '')).then(
      () => Promise.reject(new Error('an empty file was taken')),
      (error: unknown) => ({ upload: error }),
    )
    expect(String(upload)).toMatch(/empty/i)
  })
})

describe('a recording that ends too early', () => {
  test.each(['m4a', 'flac', 'wav'] as const)(
    'as %s is truncated, and no track is made of the half of it',
    async (format) => {
      const whole = await makeRecording(folder.path, { name: 'whole', seconds: 8, format })
      const upload = await failed(await cutShort(whole, 0.6))
      expect(upload.problem).toBe('truncated')
      expect(upload.reason).toMatch(/its end is missing/)
      expect(upload.track).toBeNull()
    },
  )
})

test('after all these the next good file becomes a track', async () => {
  const file = await makeRecording(folder.path, { name: 'good', seconds: 5 })
  const { track } = await artist.release(file)
  expect(track.holders).toHaveLength(3)
  const { uploads } = (await (await fetch(`${network.urls.creator}/status`)).json()) as { uploads: object }
  expect(uploads).not.toMatchObject({ processing: expect.anything() })
})
