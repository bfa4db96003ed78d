import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Subject } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { refused } from './problems.ts'
import { decodedMs, makeRecording, runProgram } from './recordings.ts'
import { newSubject } from './tus.ts'

const network = testNetwork()
const { discovery, creator, content } = network.urls
const seconds = 20

let folder: TemporaryFolder
let artist: Artist
let track: Track
let stream: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'whole', seconds })
  ;({ track } = await artist.release(file, { title: 'Whole: a "file"', artist: 'Ünï/codé' }))
  stream = `${discovery}/v1/tracks/${track.id}/stream?format=file`
}, 120_000)
afterAll(() => folder?.remove())

const ask = (url: string, init: RequestInit = {}) =>
  fetch(url, { signal: AbortSignal.timeout(15_000), ...init })
const digestOf = async (response: Response) =>
  createHash('sha256')
    .update(Buffer.from(await response.arrayBuffer()))
    .digest('hex')

describe('a track as one file, by way of discovery', () => {
  test.each(['', '&rendition=aac-96', '&rendition=flac'])('is played to its end%s', async (rendition) => {
    expect(Math.abs((await decodedMs(stream + rendition, { isFile: true })) - seconds * 1000)).toBeLessThan(
      60,
    )
  })

  test('tells a player how long it is, and is sought in by ranges', async () => {
    const { output } = await runProgram('ffprobe', [
      ...[
        '-v',
        'error',
        '-of',
        'json',
        '-show_entries',
        'format=duration:stream=codec_name,channels',
        stream,
      ],
    ])
    const { streams, format } = JSON.parse(output) as {
      streams: object[]
      format: { duration: string }
    }
    expect(streams).toEqual([expect.objectContaining({ codec_name: 'aac', channels: 2 })])
    expect(Math.abs(Number(format.duration) - seconds)).toBeLessThan(0.1)
    const raw = ['-f', 's16le', '-ar', '44100', '-ac', '1', 'pipe:1']
    const { bytes } = await runProgram('ffmpeg', [
      '-v',
      'error',
      '-nostdin',
      '-ss',
      '15',
      '-i',
      stream,
      ...raw,
    ])
    expect(Math.abs(bytes / 2 / 44_100 - (seconds - 15))).toBeLessThan(0.1)
  })

  test('is known to a player by its beginning, without a look at each segment', async () => {
    const { complaint } = await runProgram('ffprobe', ['-v', 'debug', stream])
    const asked = complaint.match(/request: GET .*/g) ?? []
    expect(asked.map((line) => line.split('?')[0]?.replace(/\/[^/]*( HTTP.*)?$/, ''))).toEqual([
      `request: GET /v1/tracks/${track.id}`,
      'request: GET /audio',
    ])
  })

  test('is the same at every holder, which the redirect names, so that a broken download goes on elsewhere', async () => {
    const redirect = await ask(stream, { redirect: 'manual' })
    const duplicates = [...(redirect.headers.get('link') ?? '').matchAll(/<([^>]+)>; rel=duplicate/g)]
    const holders = [redirect.headers.get('location') ?? '', ...duplicates.map(([, url]) => url ?? '')]
    expect(new Set(holders.map((url) => new URL(url).origin)).size).toBe(holders.length)
    expect(holders.length).toBeGreaterThanOrEqual(2)
    const [first, ...others] = await Promise.all(
      [...holders, `${creator}/audio/${track.manifest}`].map(async (url) => {
        const response = await ask(url)
        expect([response.status, response.headers.get('content-type')]).toEqual([200, 'audio/mp4'])
        return [response.headers.get('etag'), await digestOf(response)]
      }),
    )
    for (const other of others) expect(other).toEqual(first)
    const [etag = ''] = first ?? []
    const rest = await ask(holders[1] ?? '', { headers: { range: 'bytes=100000-', 'if-range': etag ?? '' } })
    const whole = Buffer.from(await (await ask(holders[0] ?? '')).arrayBuffer())
    expect([rest.status, Buffer.from(await rest.arrayBuffer()).equals(whole.subarray(100_000))]).toEqual([
      206,
      true,
    ])
  })

  test('is saved under the names of its artist and title, and is a file that plays', async () => {
    const response = await ask(`${discovery}/v1/tracks/${track.id}/download`)
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="_n_ cod_ - Whole a file.m4a"; filename*=UTF-8''%C3%9Cn%C3%AF%20cod%C3%A9%20-%20Whole%20a%20file.m4a`,
    )
    const saved = path.join(folder.path, 'saved.m4a')
    await writeFile(saved, Buffer.from(await response.arrayBuffer()))
    expect(Math.abs((await decodedMs(saved)) - seconds * 1000)).toBeLessThan(60)
  })

  test('is refused with what to do: what the track has not, and what no node can give', async () => {
    expect(await refused(`${stream}&rendition=opus-64`)).toMatchObject({
      status: 404,
      problem: 'unknown-rendition',
    })
    const nothing: Subject = newSubject(artist)
    expect((await refused(`${discovery}/v1/tracks/${nothing}/download`)).status).toBe(404)
    expect((await refused(`${discovery}/v1/tracks/${track.id}/stream?format=mp3`)).status).toBe(400)
    expect((await refused(`${content[0]}/audio/nothing`)).status).toBe(400)
  })
})
