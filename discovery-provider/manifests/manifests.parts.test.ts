import { createGuardedFetch, type GuardedFetch, type Listening, listen } from '@hexachord/platform/http'
import { cidOf } from '@hexachord/protocol/cids'
import { audioFileOf, encodeManifest } from '@hexachord/protocol/manifests'
import { authorOf, type Subject, subjectToBytes32 } from '@hexachord/protocol/names'
import { listOf, pricedTrackSchema, trackSchema } from '@hexachord/protocol/rest'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { bookPayments, plainTerms } from '../fixtures/payment-history.ts'
import {
  bjork,
  guido,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { type Listener, newListener } from '../fixtures/subsonic-listener.ts'
import { actedLog, operators, trackContent, updatedLog } from '../fixtures/synthetic-network.ts'
import { opaqueSubject } from '../pioneer/opaque-ids.ts'
import type { Fields } from '../subsonic/answer.ts'
import { readManifests } from './read-manifests.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const [first] = operators
if (first === undefined) throw new Error('there are operators')
const { track: example, blocks: exampleBlocks } = await exampleTrack()
const blocks = new Map(exampleBlocks)
let isAway = false

let served: ServedCatalogue
let node: Listening
let fetches: GuardedFetch
beforeAll(async () => {
  served = await serveCatalogue()
  node = await listen(
    (request, response) => {
      const [, cid = ''] = /^\/ipfs\/([a-z2-7]+)/.exec(request.url ?? '') ?? []
      const bytes = isAway ? undefined : blocks.get(cid)
      if (request.method === 'HEAD' && cid !== '' && !isAway) response.end()
      else if (bytes === undefined) response.writeHead(404).end()
      else response.end(bytes)
    },
    { host: '127.0.0.1', port: 0 },
  )
  fetches = createGuardedFetch({ allowPrivateAddresses: true })
  await served.catalogue.put(updatedLog(first, node.origin))
})
afterAll(async () => {
  await fetches.close()
  await node.close()
  await served.close()
})

/** Replaces a track's audio. @returns its manifest */
async function replace(track: Subject, isPremium: boolean): Promise<string> {
  const keyHolders = isPremium ? { keyHolders: [first?.operator ?? guido] } : {}
  const bytes = encodeManifest({ ...example.manifest, ...keyHolders })
  const manifest = await cidOf(bytes, 'dag-json')
  blocks.set(manifest, bytes)
  const fields = { prev: await served.catalogue.digestOf(track), title: `of ${track}` }
  const by = operators.filter((_, index) => index !== 1)
  const content = await trackContent(track, fields, { by, manifest })
  await served.catalogue.put(actedLog({ author: authorOf(track), kind: 'track', subject: track, content }))
  return manifest
}

const round = (nowMs = Date.now()) =>
  readManifests(served.catalogue.database.postgres, {
    ...{ fetch: fetches, nowMs, signal: new AbortController().signal },
  })
const readAll = async (nowMs?: number) => {
  while ((await round(nowMs)) > 0);
}
const read = (track: Subject) => served.read(`/v1/tracks/${track}`, pricedTrackSchema)

describe('what a manifest says', () => {
  test('is told of as soon as a holder has given it, and asked for again while none does', async () => {
    isAway = true
    await replace(joga, true)
    await readAll()
    expect(await read(joga)).toMatchObject({ premium: null })
    isAway = false
    await readAll()
    expect(await read(joga)).toMatchObject({ premium: null })
    await readAll(Date.now() + 5_000)
    expect(await read(joga)).toMatchObject({ premium: true, priced: false })
    const { items } = await served.read(`/v1/tracks?author=${bjork}`, listOf(trackSchema))
    expect(items).toMatchObject([{ id: joga, premium: true }])
  })

  test('holds for the audio that a track has now', async () => {
    await replace(hymn, true)
    await readAll()
    expect(await read(hymn)).toMatchObject({ premium: true })
    await replace(hymn, false)
    expect(await read(hymn)).toMatchObject({ premium: null })
    await readAll()
    expect(await read(hymn)).toMatchObject({ premium: false })
  })
})

test('a cover that a manifest names is given to players as soon as it is read, also where one was read before covers were kept', async () => {
  const listener = await newListener(served, '52')
  const coverOf = async () => ((await listener.ask('getSong', { id: `tr-${hymn}` })).song as Fields).coverArt
  await replace(hymn, false)
  await served.catalogue.database.postgres.query('UPDATE manifest_seen SET covers = NULL, audio = NULL')
  expect(await coverOf()).toBeUndefined()
  await readAll()
  expect(await coverOf()).toBe(`tr-${hymn}`)
  const [cover] = example.manifest.cover ?? []
  expect(await listener.ask('getCoverArt', { id: `tr-${hymn}` })).toEqual({
    location: `${node.origin}/ipfs/${cover?.image['/']}?filename=cover.jpeg`,
  })
})

describe('players', () => {
  const [, best] = example.renditions
  if (best === undefined) throw new Error('the example has AAC')
  const withoutRenditions = new Map(example.renditions.map(({ cid }) => [cid, blocks.get(cid)]))
  const songOf = async (listener: Listener) =>
    (await listener.ask('getSong', { id: `tr-${hymn}` })).song as Fields

  test('are told of a song’s audio once its renditions are read, for which nobody waits who asks for its cover', async () => {
    const listener = await newListener(served, '53')
    for (const cid of withoutRenditions.keys()) blocks.delete(cid)
    const manifest = await replace(hymn, false)
    await served.catalogue.database.postgres.query('DELETE FROM manifest_seen WHERE manifest = $1', [
      manifest,
    ])
    await readAll()
    const song = await songOf(listener)
    expect(song).toMatchObject({ coverArt: `tr-${hymn}` })
    expect(Object.keys(song)).not.toEqual(expect.arrayContaining(['bitRate']))
    // Until then they get the usual one, whatever they ask for.
    const stream = (query: { maxBitRate?: string; format?: string }) =>
      listener.ask('stream', { id: `tr-${hymn}`, ...query })
    const usual = { location: `${node.origin}/audio/${manifest}` }
    expect(await stream({ maxBitRate: '160' })).toEqual(usual)

    for (const [cid, bytes] of withoutRenditions) if (bytes) blocks.set(cid, bytes)
    await readAll(Date.now() + 5_000)
    expect(await songOf(listener)).toMatchObject({
      bitRate: 320,
      size: audioFileOf(best).byteLength,
      samplingRate: 44_100,
      channelCount: 2,
      // Of -14.23 LUFS and -1.05 dBTP.
      replayGain: { trackGain: -3.77, trackPeak: expect.closeTo(0.886, 3) },
    })
    const lesser = { location: `${usual.location}?rendition=aac-160` }
    expect(await stream({ maxBitRate: '160' })).toEqual(lesser)
    expect(await stream({ maxBitRate: '319', format: 'mp3' })).toEqual(lesser)
    expect(await stream({ maxBitRate: '24' })).toEqual(lesser)
    for (const query of [
      {},
      { maxBitRate: '0' },
      { maxBitRate: '320' },
      { maxBitRate: '96', format: 'raw' },
    ]) {
      expect(await stream(query)).toEqual(usual)
    }
    expect(await listener.ask('download', { id: `tr-${hymn}`, maxBitRate: '96' })).toEqual(usual)
    expect(await stream({ maxBitRate: 'much' })).toMatchObject({ error: { code: 0 } })
  })
})

describe('programs that know nothing of us', () => {
  test('are told that a premium track is encrypted, and where its playlist is', async () => {
    const { manifest } = await read(joga)
    const playlists = [`${node.origin}/hls/${manifest}/master.m3u8`]
    for (const path of ['stream', 'stream?format=file', 'audio.m4a', 'download']) {
      const problem = await served.problem(`/v1/tracks/${joga}/${path}`)
      expect(problem).toMatchObject({ status: 403, subject: joga, playlists })
      expect(problem.type).toMatch(/premium$/)
      expect(problem.detail).toMatch(/encrypted.*hexachord play/)
    }
    expect(await served.problem(`/pioneer/v1/tracks/${opaqueSubject(joga)}/stream`)).toMatchObject({
      status: 403,
    })
  })

  test('are told what a track costs; as a file it may be bought at a node', async () => {
    const { postgres } = served.catalogue.database
    const track = subjectToBytes32(hymn)
    await bookPayments(postgres, [[{ do: 'setTerms', signer: guido, track, terms: plainTerms(guido) }, 1]])
    expect(await read(hymn)).toMatchObject({ premium: false, priced: true, terms: { unitPrice: '134' } })
    const problem = await served.problem(`/v1/tracks/${hymn}/stream`)
    const playlist = `${node.origin}/hls/${(await read(hymn)).manifest}/master.m3u8`
    expect(problem).toMatchObject({ status: 402, unitPrice: '134', currency: { decimals: 6 } })
    expect(problem.playlists).toContain(playlist)
    expect(problem.detail).toMatch(/costs 0\.000134 of the token 0x(d0){20} per 6 s/)
    const file = await served.get(`/v1/tracks/${hymn}/audio.m4a`)
    expect([file.status, file.headers.get('location')]).toEqual([
      302,
      `${node.origin}/audio/${(await read(hymn)).manifest}`,
    ])
  })

  test('are led to neither by players’ servers, feeds, lists, pages and the pioneer’s interface', async () => {
    const listener = await newListener(served, '51')
    for (const id of [joga, hymn]) {
      const { error } = await listener.ask('stream', { id: `tr-${id}` })
      expect(error).toMatchObject({ code: 50, message: expect.stringMatching(/hexachord play/) })
    }
    const { randomSongs } = await listener.ask('getRandomSongs', { size: '10' })
    expect(randomSongs).toEqual({ song: [] })
    const text = async (path: string) => (await served.get(path)).text()
    for (const [author, track] of [
      [bjork, joga],
      [guido, hymn],
    ] as const) {
      const url = `/v1/tracks/${track}/audio.m4a`
      for (const path of ['feed.xml', 'tracks.m3u8', 'tracks.xspf']) {
        expect(await text(`/v1/users/${author}/${path}`)).not.toContain(url)
      }
      expect(await text(`/v1/users/${author}/feed.xml`)).toContain('podcast:integrity')
      expect(await text(`/v1/users/${author}/feed.xml`)).not.toContain('<enclosure')
      for (const page of [`/tracks/${track}`, `/tracks/${track}/player`, `/users/${author}`]) {
        const html = await text(page)
        expect(html).toContain(`hexachord play ${track}`)
        expect(html).not.toContain(url)
      }
    }
    const answer = (await (await served.get('/pioneer/v1/tracks/trending')).json()) as {
      data: { is_streamable: boolean; access: object }[]
    }
    for (const track of answer.data) {
      expect(track).toMatchObject({ is_streamable: false, access: { stream: false, download: false } })
    }
  })
})
