import { createServer } from 'node:http'
import { createGuardedFetch, type GuardedFetch, type Listening, listen } from '@hexachord/platform/http'
import { cidOf, linkTo } from '@hexachord/protocol/cids'
import { encodeManifest } from '@hexachord/protocol/manifests'
import { authorOf, type Subject } from '@hexachord/protocol/names'
import { alikeSchema, listOf } from '@hexachord/protocol/rest'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { planOf } from '../fixtures/plan.ts'
import {
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { actedLog, operators, trackContent, updatedLog } from '../fixtures/synthetic-network.ts'
import { keysOf } from './compare.ts'
import { noteDue } from './note-due.ts'
import { candidatesQuery, readDue } from './read-due.ts'

const blocks = new Map<string, Uint8Array>()
const { track: example } = await exampleTrack()
const noise = (seed: number) =>
  Int32Array.from({ length: 400 }, (_, index) => Math.imul(index * 7919 + seed, 0x9e3779b1) ^ (seed * index))

let served: ServedCatalogue
let node: Listening
let fetches: GuardedFetch
let isAway = false
beforeAll(async () => {
  served = await serveCatalogue()
  const server = createServer((request, response) => {
    const [, cid = ''] = /^\/ipfs\/([a-z2-7]+)/.exec(request.url ?? '') ?? []
    const bytes = blocks.get(cid)
    if (bytes !== undefined && !isAway) response.end(bytes)
    else response.writeHead(404).end()
  })
  node = await listen((request, response) => server.emit('request', request, response), {
    host: '127.0.0.1',
    port: 0,
  })
  fetches = createGuardedFetch({ allowPrivateAddresses: true })
  const [first] = operators
  if (first) await served.catalogue.put(updatedLog(first, node.origin))
})
afterAll(async () => {
  await fetches.close()
  await node.close()
  await served.close()
})

/** Replaces a track's audio by one with a fingerprint, and waits until that is final. */
async function replace(track: Subject, items: Int32Array | undefined) {
  const put = async (bytes: Uint8Array, codec: 'raw' | 'dag-json') => {
    const cid = await cidOf(bytes, codec)
    blocks.set(cid, bytes)
    return cid
  }
  const bytes = items && new Uint8Array(items.buffer)
  const print = bytes && { data: linkTo(await put(bytes, 'raw')), byteLength: bytes.length }
  const body = encodeManifest({ ...example.manifest, ...(print ? { fingerprint: print } : {}) })
  const manifest = await put(body, 'dag-json')
  const prev = await served.catalogue.digestOf(track)
  const by = operators.filter((_, index) => index !== 1)
  const fields = { prev, title: `of ${track}`, unlisted: track === hidden }
  const content = await trackContent(track, fields, { by, manifest })
  await served.catalogue.put(actedLog({ author: authorOf(track), kind: 'track', subject: track, content }))
  while (served.catalogue.chain.blocks.at(-1)?.logs.length !== 0) served.catalogue.chain.mine()
  for (let blocks = 0; blocks < 4; blocks++) served.catalogue.chain.mine()
  await served.catalogue.catchUp()
}

/** One round. @returns how many tracks it has looked at */
async function round(nowMs = Date.now()) {
  const { postgres } = served.catalogue.database
  const signal = new AbortController().signal
  expect(await noteDue(postgres, nowMs)).toBe(false)
  let read = 0
  for (let more = 1; more > 0; read += more) more = await readDue(postgres, { fetch: fetches, nowMs, signal })
  return read
}

const alike = async (track: Subject) =>
  (await served.read(`/v1/tracks/${track}/alike`, listOf(alikeSchema))).items

describe('tracks that sound alike', () => {
  test('are told of, both ways, and stay where they are', async () => {
    await replace(hymn, noise(1))
    // Five seconds cut off, and some bits another encoder has changed.
    await replace(
      joga,
      noise(1)
        .slice(40)
        .map((item, index) => (index % 3 === 0 ? item ^ 4 : item)),
    )
    await replace(hidden, noise(1))
    expect(await round()).toBeGreaterThanOrEqual(3)
    expect(await alike(hymn)).toEqual([
      expect.objectContaining({ track: joga, title: `of ${joga}`, laterByMs: -4954 }),
    ])
    expect(await alike(joga)).toMatchObject([{ track: hymn, laterByMs: 4954 }])
    expect((await alike(joga))[0]?.errorsPerMille).toBeLessThan(30)
    expect((await served.get(`/v1/tracks/${joga}`)).status).toBe(200)
    expect(await round()).toBe(0)
  })

  test('are so no more once the audio is another, or has no fingerprint', async () => {
    await replace(joga, noise(77))
    await round()
    expect(await alike(hymn)).toEqual([])
    await replace(joga, noise(1))
    await round()
    expect(await alike(hymn)).toMatchObject([{ track: joga, errorsPerMille: 0, laterByMs: 0 }])
    await replace(joga, undefined)
    await round()
    expect(await alike(hymn)).toEqual([])
  })

  test('are found when a node is back that was away', async () => {
    isAway = true
    await replace(joga, noise(1))
    expect(await round()).toBe(1)
    isAway = false
    expect(await round()).toBe(0)
    expect(await round(Date.now() + 61_000)).toBe(1)
    expect(await alike(joga)).toMatchObject([{ track: hymn }])
  })

  test('are asked about by a name that there is', async () => {
    expect(await served.problem(`/v1/tracks/${guido}-99/alike`)).toMatchObject({ status: 404 })
  })
})

test('candidates are found by the index of keys', async () => {
  const { postgres } = served.catalogue.database
  await postgres.query(
    `INSERT INTO fingerprint SELECT 'other-' || i, '', ARRAY[i], ARRAY[i, i * 3] FROM generate_series(1000, 20000) AS i`,
  )
  await postgres.query('ANALYZE fingerprint')
  const access = await planOf(postgres, candidatesQuery(hymn, keysOf(noise(5))))
  expect(access).toEqual(['fingerprint_keys'])
})
