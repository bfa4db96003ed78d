import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp, finishApp, type Listening, listen } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import { playlistMediaType } from '@hexachord/protocol/playlists'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createEmbeddedIpfs, type IpfsNode } from '../ipfs/index.ts'
import { makeTestTrack, type TestTrack } from '../tracks/fixtures/index.ts'
import { hlsRoutes } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const publicUrl = 'https://here.example'
const holders = [publicUrl, 'https://second.example', 'https://third.example:8443']

let directory: string
let ipfs: IpfsNode
let server: Listening
let track: TestTrack
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-hls-'))
  ipfs = await createEmbeddedIpfs({ directory, bitswap: false, logger })
  track = await makeTestTrack()
  for (const { cid, bytes } of track.blocks) await ipfs.putVerified(cid, bytes)
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  app.use(hlsRoutes({ ipfs, publicUrl, holdersOf: () => holders }))
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await ipfs.close()
  await rm(directory, { recursive: true })
})

const get = (path: string) => fetch(new URL(path, server.origin))

describe('the master playlist', () => {
  test('lists each rendition on this node first and then on every other holder', async () => {
    const response = await get(`/hls/${track.manifest}/master.m3u8`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(playlistMediaType)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    const text = await response.text()
    expect(lintPlaylist(text)).toEqual([])
    expect(text.split('\n').filter((line) => line.endsWith('.m3u8'))).toEqual([
      'aac-160.m3u8',
      `https://second.example/hls/${track.manifest}/aac-160.m3u8`,
      `https://third.example:8443/hls/${track.manifest}/aac-160.m3u8`,
      'aac-96.m3u8',
      `https://second.example/hls/${track.manifest}/aac-96.m3u8`,
      `https://third.example:8443/hls/${track.manifest}/aac-96.m3u8`,
    ])
  })
})

describe('a media playlist', () => {
  test('names segments beside it, on this node, and never changes', async () => {
    const response = await get(`/hls/${track.manifest}/aac-96.m3u8`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(playlistMediaType)
    expect(response.headers.get('cache-control')).toContain('immutable')
    const text = await response.text()
    expect(lintPlaylist(text)).toEqual([])
    const uris = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    const urls = uris.map((uri) => new URL(uri, response.url))
    expect(urls).toHaveLength(4)
    expect(urls[0]?.pathname).toBe(`/ipfs/${track.blocks[1]?.cid}`)
    expect(urls[0]?.searchParams.get('filename')).toBe('segment-00000.m4s')
  })
})

describe('what cannot be played from here', () => {
  test.each([
    ['a name that is none', () => 'bafybogus', 'master', 400, 'malformed-cid'],
    [
      'a track that is elsewhere',
      async () => (await makeTestTrack()).manifest,
      'master',
      404,
      'not-held-here',
    ],
    ['a rendition that it has not', () => track.manifest, 'flac', 404, 'unknown-rendition'],
    ['a block that is no manifest', () => track.blocks[0]?.cid ?? '', 'master', 400, 'not-a-track'],
  ])('is said of %s', async (_, manifest, name, status, slug) => {
    const response = await get(`/hls/${await manifest()}/${name}.m3u8`)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toContain('application/problem+json')
    expect(await response.json()).toMatchObject({ type: `urn:hexachord:problem:${slug}`, status })
  })
})
