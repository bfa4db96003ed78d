import { createServer } from 'node:http'
import { createGuardedFetch, type GuardedFetch, type Listening, listen } from '@hexachord/platform/http'
import { createMetrics } from '@hexachord/platform/process'
import { type Address, type Hash, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import {
  actionStatusSchema,
  discoveryStatusSchema,
  listOf,
  operatorAnswerSchema,
  playlistSchema,
  problemSchema,
  resolutionSchema,
  searchAnswerSchema,
  type Track,
  trackSchema,
  userSchema,
} from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type * as z from 'zod'
import { createTestDatabase, quiet, type TestDatabase } from '../fixtures/database.ts'
import { createSyntheticChain, type SyntheticChain } from '../fixtures/synthetic-chain.ts'
import {
  actedLog,
  exitRequestedLog,
  indexedNetwork,
  type LooseLog,
  operators,
  registeredLog,
  rules,
  stakedLog,
  trackContent,
  updatedLog,
} from '../fixtures/synthetic-network.ts'
import { type CatalogueIndex, openCatalogueIndex } from '../indexing/catalogue-index.ts'
import { createApi } from './api.ts'
import { blockAnswerSchema } from './blocks.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const bjork: Address = `0x${'b2'.repeat(20)}`
const silent: Address = `0x${'c3'.repeat(20)}`
const hymn = subjectOf(guido, 7n)
const hidden = subjectOf(guido, 8n)
const gone = subjectOf(guido, 9n)
const joga = subjectOf(bjork, 1n)
const album = subjectOf(bjork, 2n)
const secretList = subjectOf(bjork, 3n)

let database: TestDatabase
let chain: SyntheticChain
let index: CatalogueIndex
let fetches: GuardedFetch
let server: Listening
let node: Listening
let published: Hash
let rejected: Hash

beforeAll(async () => {
  database = await createTestDatabase()
  chain = createSyntheticChain()
  index = await openCatalogueIndex({ postgres: database.postgres, network: indexedNetwork, rules })
  node = await startNode()
  await fillCatalogue()
  fetches = createGuardedFetch({ allowPrivateAddresses: true })
  const app = createApi({
    postgres: database.postgres,
    head: { current: async () => headBlock(), lastSeen: undefined },
    fetch: fetches,
    network: indexedNetwork,
    process: () => ({ version: '1.2.3', role: 'writer' }),
    publicUrl: 'https://discovery.example',
    logger: quiet,
    metrics: createMetrics('test'),
    now: Date.now,
  })
  server = await listen(app, { host: '127.0.0.1', port: 0 })
})

afterAll(async () => {
  await server.close()
  await fetches.close()
  await node.close()
  await database.drop()
})

function headBlock() {
  const block = chain.blocks.at(-1)
  if (block === undefined) throw new Error('the chain is empty')
  return block
}

/** A content service that holds every manifest. */
function startNode(): Promise<Listening> {
  const app = createServer((request, response) => {
    response.writeHead(request.url?.startsWith('/ipfs/') && request.method === 'HEAD' ? 200 : 404).end()
  })
  return listen((request, response) => app.emit('request', request, response), { host: '127.0.0.1', port: 0 })
}

async function put(...logs: LooseLog[]): Promise<Hash[]> {
  for (const log of logs) chain.mine([log])
  const result = await index.append(chain.range(index.checkpoint.indexed + 1, chain.head))
  return result.actions.map(({ action }) => action.hash)
}

async function publish(
  author: Address,
  subject: Subject,
  fields: Record<string, string | boolean | string[]>,
): Promise<LooseLog> {
  return actedLog({
    author,
    kind: 'track',
    subject,
    content: await trackContent(subject, { prev: null, ...fields }),
  })
}

async function fillCatalogue(): Promise<void> {
  chain.mine([...operators.map(registeredLog), ...operators.map((operator) => stakedLog(operator))])
  for (let block = 2; block <= 8; block++) chain.mine()
  const [first, second, third] = operators
  if (!first || !second || !third) throw new Error('three operators')
  const hashes = await put(
    actedLog({
      author: bjork,
      kind: 'user',
      subject: userSubject(bjork),
      content: { prev: null, handle: 'bjork', name: 'Björk Guðmundsdóttir' },
    }),
    await publish(guido, hymn, {
      title: 'Ut queant laxis',
      genre: 'Hip-Hop',
      tags: ['medieval', 'solmisation'],
    }),
    await publish(guido, hidden, { title: 'Ut hidden', unlisted: true }),
    await publish(guido, gone, { title: 'Ut gone' }),
    await publish(bjork, joga, { title: 'Jóga', artist: 'Björk', album: 'Homogenic', genre: 'Electronic' }),
    actedLog({
      author: bjork,
      kind: 'playlist',
      subject: album,
      content: {
        prev: null,
        title: 'Homogenic',
        album: true,
        add: [{ track: joga }, { track: gone }, { track: hymn }],
      },
    }),
    actedLog({
      author: bjork,
      kind: 'playlist',
      subject: secretList,
      content: { prev: null, title: 'Homogenic drafts', unlisted: true },
    }),
    // Who gave the receipts moves, and one of them leaves.
    updatedLog(first, `${node.origin}/`),
    exitRequestedLog(second),
    await publish(guido, subjectOf(bjork, 20n), { title: 'not mine' }),
  )
  published = hashes[1] as Hash
  rejected = hashes.at(-1) as Hash
  const track = await database.postgres.query<{ digest: Hash }>('SELECT digest FROM track WHERE id = $1', [
    gone,
  ])
  await put(
    actedLog({
      author: guido,
      kind: 'delete',
      subject: gone,
      content: { prev: track.rows[0]?.digest ?? null },
    }),
  )
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(new URL(path, server.origin), { headers, redirect: 'manual' })
}

/** The answer, which must be as its schema says and nothing else. */
async function read<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
  const response = await get(path)
  const body: unknown = await response.json()
  expect([response.status, body]).toEqual([200, body])
  const parsed = schema.parse(body)
  expect(body).toEqual(parsed)
  return parsed
}

async function problem(path: string): Promise<z.infer<typeof problemSchema>> {
  const response = await get(path)
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const body = problemSchema.parse(await response.json())
  expect(body.status).toBe(response.status)
  return body
}

const tracksOf = (list: { items: Track[] }) => list.items.map(({ id }) => id)

describe('/v1/tracks', () => {
  const tracks = listOf(trackSchema)

  test('lists what is listed, newest first, in pages', async () => {
    expect(tracksOf(await read('/v1/tracks', tracks))).toEqual([joga, hymn])
    const first = await read('/v1/tracks?limit=1', tracks)
    expect(tracksOf(first)).toEqual([joga])
    const second = await read(`/v1/tracks?limit=1&cursor=${first.next}`, tracks)
    expect(tracksOf(second)).toEqual([hymn])
    expect(second.next).toBeNull()
  })

  test('is filtered by author, in any spelling of the address, and by genre', async () => {
    expect(tracksOf(await read(`/v1/tracks?author=${guido}`, tracks))).toEqual([hymn])
    expect(tracksOf(await read(`/v1/tracks?author=0x${'A1'.repeat(20)}`, tracks))).toEqual([hymn])
    expect(tracksOf(await read('/v1/tracks?genre=hip%20hop', tracks))).toEqual([hymn])
    expect(tracksOf(await read(`/v1/tracks?genre=electronic&author=${guido}`, tracks))).toEqual([])
  })

  test('one track names its author, who holds it now, and where its last action stands', async () => {
    const track = await read(`/v1/tracks/${joga}`, trackSchema)
    expect(track).toMatchObject({ title: 'Jóga', authorHandle: 'bjork', album: 'Homogenic', unlisted: false })
    expect(track.holders).toEqual([{ operator: operators[0]?.operator, endpoint: `${node.origin}/` }])
    expect(track.last).toEqual({ block: 13, logIndex: 1, digest: expect.stringMatching(/^0x[0-9a-f]{64}$/) })
  })

  test('an unlisted track is there by its id', async () => {
    expect(await read(`/v1/tracks/${hidden}`, trackSchema)).toMatchObject({ unlisted: true })
  })

  test('a deleted track is gone, an unknown one is not found, a playlist is no track', async () => {
    expect(await problem(`/v1/tracks/${gone}`)).toMatchObject({ status: 410, last: { block: 19 } })
    expect(await problem(`/v1/tracks/${guido}-99`)).toMatchObject({ status: 404 })
    expect((await problem(`/v1/tracks/${album}`)).detail).toMatch(/is a playlist/)
  })

  test('is not sent twice when it did not change', async () => {
    const first = await get(`/v1/tracks/${joga}`)
    const tag = first.headers.get('etag') ?? ''
    expect(first.headers.get('cache-control')).toBe('public, no-cache')
    expect((await get(`/v1/tracks/${joga}`, { 'If-None-Match': tag })).status).toBe(304)
    expect((await get(`/v1/tracks/${hymn}`, { 'If-None-Match': tag })).status).toBe(200)
  })

  test('may be read by pages of any origin', async () => {
    const response = await get('/v1/tracks', { Origin: 'https://player.example' })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  })
})

describe('/v1/tracks/:id/stream', () => {
  test('leads to the master playlist at a holder that answers', async () => {
    const { manifest } = await read(`/v1/tracks/${joga}`, trackSchema)
    const response = await get(`/v1/tracks/${joga}/stream`)
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toBe(`${node.origin}/hls/${manifest}/master.m3u8`)
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test('says when to ask again while no holder answers', async () => {
    const lonely = subjectOf(silent, 1n)
    const content = await trackContent(lonely, { prev: null }, { by: operators.slice(1) })
    await put(actedLog({ author: silent, kind: 'track', subject: lonely, content }))
    const [, , third] = operators
    if (!third) throw new Error('three operators')
    await put(updatedLog(third, 'http://127.0.0.1:1'))
    const response = await get(`/v1/tracks/${lonely}/stream`)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    await put(
      actedLog({
        author: silent,
        kind: 'delete',
        subject: lonely,
        content: { prev: (await read(`/v1/tracks/${lonely}`, trackSchema)).last.digest },
      }),
    )
    expect(await problem(`/v1/tracks/${lonely}/stream`)).toMatchObject({ status: 410 })
  })
})

describe('/v1/users/:id', () => {
  test('has profile, controller and how much is published', async () => {
    expect(await read(`/v1/users/${bjork}`, userSchema)).toMatchObject({
      id: bjork,
      handle: 'bjork',
      name: 'Björk Guðmundsdóttir',
      controller: bjork,
      trackCount: 1,
      last: { block: 9 },
    })
  })

  test('is known by what it published, without a profile', async () => {
    const user = await read(`/v1/users/${guido}`, userSchema)
    expect(user).toMatchObject({ handle: null, trackCount: 1, createdAtMs: null, last: null })
  })

  test('is not found when it never did anything', async () => {
    expect(await problem(`/v1/users/0x${'99'.repeat(20)}`)).toMatchObject({ status: 404 })
  })
})

describe('/v1/playlists/:id', () => {
  test('has its tracks in order, without those that were deleted', async () => {
    const playlist = await read(`/v1/playlists/${album}`, playlistSchema)
    expect(playlist).toMatchObject({ title: 'Homogenic', album: true, trackIds: [joga, gone, hymn] })
    expect(playlist.tracks.map(({ id }) => id)).toEqual([joga, hymn])
  })

  test('is not found under a track', async () => {
    expect(await problem(`/v1/playlists/${joga}`)).toMatchObject({ status: 404 })
  })
})

describe('/v1/search', () => {
  const find = async (q: string) => {
    const found = await read(`/v1/search?q=${encodeURIComponent(q)}`, searchAnswerSchema)
    const idsOf = (items: { id: string }[]) => items.map(({ id }) => id)
    return { tracks: idsOf(found.tracks), users: idsOf(found.users), playlists: idsOf(found.playlists) }
  }

  test('finds by beginnings, in any case and without accents', async () => {
    expect(await find('BJO')).toMatchObject({ tracks: [joga], users: [bjork] })
    expect(await find('joga')).toMatchObject({ tracks: [joga] })
    expect(await find('gudmunds')).toMatchObject({ users: [bjork] })
    expect(await find('ut queant lax')).toMatchObject({ tracks: [hymn] })
    expect(await find('laxis ut')).toMatchObject({ tracks: [hymn] })
  })

  test('finds by album, genre and tag, and albums themselves', async () => {
    expect(await find('homogenic')).toEqual({ tracks: [joga], users: [], playlists: [album] })
    expect((await find('solmisation')).tracks).toEqual([hymn])
    expect((await find('hip-hop')).tracks).toEqual([hymn])
  })

  test('finds what is mistyped', async () => {
    expect((await find('qeant laxsis')).tracks).toEqual([hymn])
    expect((await find('homogenik')).playlists).toEqual([album])
    expect((await find('gudmunsdotir')).users).toEqual([bjork])
  })

  test('never shows what is unlisted', async () => {
    expect((await find('hidden')).tracks).toEqual([])
    expect((await find('drafts')).playlists).toEqual([])
  })

  test.each([
    "'",
    "O'Brien & (x | !y):*",
    '½ ŉ ＼ ﷽',
    '日本語',
    'a'.repeat(200),
    '%_\\',
    '<b>"; DROP TABLE track',
  ])('takes any text for what it is: %s', async (q) => {
    const response = await get(`/v1/search?q=${encodeURIComponent(q)}`)
    expect([200, 400]).toContain(response.status)
  })
})

describe('/v1/resolve', () => {
  const resolved = (query: string) => read(`/v1/resolve?${query}`, resolutionSchema)

  test('knows handles, and URLs of any page that ends in a name', async () => {
    expect(await resolved('handle=bjork')).toEqual({ kind: 'user', id: bjork })
    const url = (text: string) => `url=${encodeURIComponent(text)}`
    expect(await resolved(url(`https://app.example/tracks/${joga}?t=1`))).toEqual({ kind: 'track', id: joga })
    expect(await resolved(url(`https://app.example/#/playlists/${album}`))).toEqual({
      kind: 'playlist',
      id: album,
    })
    expect(await resolved(url('https://app.example/@bjork'))).toEqual({ kind: 'user', id: bjork })
    expect(await resolved(url(`https://app.example/users/${guido}`))).toEqual({ kind: 'user', id: guido })
  })

  test('says what it does not know', async () => {
    expect(await problem('/v1/resolve?handle=nobody')).toMatchObject({ status: 404 })
    expect(await problem('/v1/resolve?url=https%3A%2F%2Fapp.example%2F')).toMatchObject({ status: 404 })
    expect(await problem('/v1/resolve')).toMatchObject({ status: 400 })
    expect(await problem('/v1/resolve?handle=a&url=https%3A%2F%2Fb.example')).toMatchObject({ status: 400 })
  })
})

describe('what lies under it', () => {
  test('/v1/operators tells who takes part', async () => {
    const all = await read('/v1/operators', listOf(operatorAnswerSchema))
    expect(all.items.map(({ operator }) => operator)).toEqual(operators.map(({ operator }) => operator))
    const active = await read('/v1/operators?active=true&limit=1', listOf(operatorAnswerSchema))
    expect(active.items).toMatchObject([{ endpoint: `${node.origin}/`, stakeWei: (10n ** 21n).toString() }])
    const rest = await read(`/v1/operators?active=true&cursor=${active.next}`, listOf(operatorAnswerSchema))
    expect(rest.items).toMatchObject([{ operator: operators[2]?.operator }])
  })

  test('/v1/actions/:hash tells what became of an action, and why', async () => {
    expect(await read(`/v1/actions/${published}`, actionStatusSchema)).toMatchObject({
      status: 'applied',
      subject: hymn,
      block: 10,
      transaction: chain.blocks[9]?.logs[0]?.transactionHash,
    })
    expect(await read(`/v1/actions/${rejected}`, actionStatusSchema)).toMatchObject({
      status: 'rejected',
      verdict: 'wrongSubject',
      reason: expect.stringContaining('is not a subject of'),
    })
    expect(await problem(`/v1/actions/0x${'00'.repeat(32)}`)).toMatchObject({ status: 404 })
  })

  test('/v1/blocks/:number tells the state hash after any block', async () => {
    const quietBlock = await read('/v1/blocks/5', blockAnswerSchema)
    expect(quietBlock).toMatchObject({ stateHashBlock: 1, final: true, hash: null })
    expect(quietBlock.stateHash).toBe((await read('/v1/blocks/1', blockAnswerSchema)).stateHash)
    const last = await read(`/v1/blocks/${chain.head}`, blockAnswerSchema)
    expect(last).toMatchObject({
      stateHash: index.checkpoint.stateHash,
      final: false,
      hash: headBlock().hash,
    })
    expect(await problem(`/v1/blocks/${chain.head + 1}`)).toMatchObject({ status: 404 })
  })

  test('/status tells how far the index is', async () => {
    expect(await read('/status', discoveryStatusSchema)).toMatchObject({
      service: 'discovery-provider',
      version: '1.2.3',
      role: 'writer',
      head: chain.head,
      indexed: chain.head,
      lagBlocks: 0,
      finalized: chain.head - 4,
      stateHash: index.checkpoint.stateHash,
    })
  })

  test('/ready tells that all parts are there', async () => {
    const response = await get('/ready')
    expect([response.status, await response.json()]).toEqual([
      200,
      expect.objectContaining({ status: 'ready', checks: expect.arrayContaining([expect.anything()]) }),
    ])
  })
})

describe('bad input', () => {
  test.each([
    '/v1/tracks/7',
    `/v1/tracks/${guido}-07`,
    `/v1/tracks/${guido.toUpperCase()}-7`,
    `/v1/tracks/${guido}-${2n ** 96n}`,
    '/v1/tracks/%00',
    '/v1/tracks/%ff',
    '/v1/tracks?limit=0',
    '/v1/tracks?limit=101',
    '/v1/tracks?limit=ten',
    '/v1/tracks?limit=1&limit=2',
    '/v1/tracks?cursor=x',
    `/v1/tracks?cursor=${Buffer.from('["a",1]').toString('base64url')}`,
    `/v1/tracks?cursor=${'A'.repeat(400)}`,
    '/v1/tracks?author=guido',
    `/v1/tracks?author=0x${'a1'.repeat(19)}Aa`,
    `/v1/tracks?genre=${'g'.repeat(61)}`,
    '/v1/tracks?genre=%00',
    '/v1/tracks?gender=x',
    '/v1/users/guido',
    '/v1/playlists/1',
    '/v1/search',
    '/v1/search?q=',
    '/v1/search?q=%20-%20',
    `/v1/search?q=${'a'.repeat(201)}`,
    '/v1/search?q=a%00b',
    '/v1/resolve?handle=Not%20A%20Handle',
    '/v1/resolve?url=nowhere',
    '/v1/actions/0x12',
    '/v1/blocks/-1',
    '/v1/blocks/1e3',
    '/v1/operators?active=maybe',
  ])('is refused with what is wrong: %s', async (path) => {
    const answer = await problem(path)
    expect(answer.status).toBe(400)
    expect(answer.detail?.length).toBeGreaterThan(5)
  })

  test('an unknown route says so', async () => {
    expect(await problem('/v2/tracks')).toMatchObject({ status: 404 })
  })
})
