import { cidOf } from '@hexachord/protocol/cids'
import { subjectOf, userSubject } from '@hexachord/protocol/names'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import { createNodeToken } from '@hexachord/protocol/tokens'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { findTrack } from '@hexachord/sdk/finding'
import { tokenFor } from '@hexachord/sdk/writing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { signed } from './direct-to-chain.ts'
import { refusalOf, refused } from './problems.ts'
import { makeRecording } from './recordings.ts'
import { createUpload, grantFor, newSubject, sendBytes } from './tus.ts'

const network = testNetwork()
const { creator, discovery, content } = network.urls
const [holder = ''] = content

let folder: TemporaryFolder
let artist: Artist
let stranger: Artist
let upload: UploadAnswer
let track: Track

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  stranger = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'mine', seconds: 7 })
  ;({ upload, track } = await artist.release(file, { title: 'Mine' }))
}, 90_000)
afterAll(() => folder?.remove())

describe('a token', () => {
  const cases: [string, () => Promise<string | undefined>, RegExp][] = [
    ['that is missing', async () => undefined, /missing/],
    ['that is no token', async () => 'Hexachord bm8gSlNPTg', /JSON/],
    ['of another scheme', async () => 'Bearer abc', /missing/],
    ['for another node', () => artist.token('https://elsewhere.example'), /elsewhere/],
    ['that has expired', () => expiredToken(), /expired/],
    [
      'that lives too long',
      () => tokenFor({ ...artist.connection, now: () => Date.now() + 3_600_000 }, artist.account, creator),
      /hour|long/,
    ],
    ['with another account in it', () => forgedToken(), /sign/],
  ]

  test.each(cases)('%s opens nothing', async (_, token, says) => {
    const authorization = await token()
    const metadata = { filename: 'a.flac', grant: await grantFor(artist, creator) }
    const atUpload = await refusalOf(await createUpload(creator, { authorization, metadata }))
    const atRelay = await refused(`${creator}/actions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
      body: '{}',
    })
    for (const { status, problem, detail, headers } of [atUpload, atRelay]) {
      expect({ status, problem }).toEqual({ status: 401, problem: 'invalid-token' })
      expect(detail).toMatch(says)
      expect(headers.get('www-authenticate')).toBe('Hexachord')
    }
  })

  test('of somebody else does not go on with an upload, or end it', async () => {
    const metadata = { filename: 'a.flac', grant: await grantFor(artist, creator) }
    const created = await createUpload(creator, { authorization: await artist.token(), metadata })
    expect(created.status).toBe(201)
    const url = created.headers.get('location') ?? ''
    const bytes = new Uint8Array(10)
    const others = await refusalOf(await sendBytes(url, bytes, { authorization: await stranger.token() }))
    expect(others).toMatchObject({ status: 403, problem: 'not-your-upload' })
    const end = (authorization: string) =>
      fetch(url, { method: 'DELETE', headers: { 'tus-resumable': '1.0.0', authorization } })
    expect((await refusalOf(await end(await stranger.token()))).status).toBe(403)
    expect((await end(await artist.token())).status).toBe(204)
  })

  test('of a person does not stand for a node', async () => {
    const offers = await refused(`${holder}/offers`, {
      method: 'POST',
      headers: { authorization: await artist.token(holder), 'content-type': 'application/json' },
      body: '{}',
    })
    expect(offers.status).toBe(401)
    const path = `/uploads/${upload.id}/blocks?after=0`
    expect((await refused(creator + path)).status).toBe(401)
    const nobodys = await createNodeToken(stranger.account.signer, stranger.connection.domain, {
      audience: creator,
      method: 'GET',
      path,
      expiresAt: Date.now() + 30_000,
    })
    const blocks = await refused(creator + path, { headers: { authorization: nobodys } })
    expect([blocks.status, blocks.problem]).toEqual([403, 'not-an-operator'])
  })

  async function expiredToken(): Promise<string> {
    const past = { ...artist.connection, now: () => Date.now() - 7_200_000 }
    return tokenFor(past, artist.account, creator)
  }

  async function forgedToken(): Promise<string> {
    const [scheme = '', body = ''] = (await artist.token()).split(' ')
    const token = {
      ...JSON.parse(Buffer.from(body, 'base64url').toString()),
      account: stranger.account.address,
    }
    return `${scheme} ${Buffer.from(JSON.stringify(token)).toString('base64url')}`
  }
})

describe('an upload', () => {
  const cases: [string, () => Promise<Parameters<typeof createUpload>[1]>, number, RegExp][] = [
    [
      'for a track of somebody else',
      async () => ({
        metadata: {
          filename: 'a.flac',
          grant: await grantFor(artist, creator, { subject: newSubject(stranger) }),
        },
      }),
      403,
      /who controls/,
    ],
    [
      'with a grant for another node',
      async () => ({
        metadata: { filename: 'a.flac', grant: await grantFor(artist, 'https://elsewhere.example') },
      }),
      403,
      /elsewhere/,
    ],
    [
      'with a grant that has expired',
      async () => ({
        metadata: {
          filename: 'a.flac',
          grant: await grantFor(artist, creator, { expiresAt: Date.now() - 1000 }),
        },
      }),
      403,
      /expired/,
    ],
    ['without a grant', async () => ({ metadata: { filename: 'a.flac' } }), 400, /grant/],
    [
      'with a grant that is no JSON',
      async () => ({ metadata: { filename: 'a.flac', grant: '{' } }),
      400,
      /JSON/,
    ],
    [
      'with a name that is too long',
      async () => ({ metadata: { filename: 'a'.repeat(256), grant: await grantFor(artist, creator) } }),
      400,
      /filename/,
    ],
    [
      'of a size that is no number',
      async () => ({
        byteLength: 'much',
        metadata: { filename: 'a.flac', grant: await grantFor(artist, creator) },
      }),
      400,
      /length/i,
    ],
    [
      'of more than the node takes',
      async () => ({
        byteLength: 2 ** 43,
        metadata: { filename: 'a.flac', grant: await grantFor(artist, creator) },
      }),
      413,
      /takes up to/,
    ],
    [
      'that is no tus of ours',
      async () => ({ headers: { 'tus-resumable': '0.2.0', 'upload-metadata': 'filename YQ==' } }),
      412,
      /Tus-Resumable must be 1\.0\.0/,
    ],
  ]

  test.each(cases)('%s is refused before a byte is sent', async (_, request, status, says) => {
    const answer = await createUpload(creator, { authorization: await artist.token(), ...(await request()) })
    const refusal = await refusalOf(answer)
    expect(refusal.detail).toMatch(says)
    expect(refusal.status).toBe(status)
  })

  test('of another version of tus is told which one is spoken here', async () => {
    const metadata = { filename: 'a.flac', grant: await grantFor(artist, creator) }
    const authorization = await artist.token()
    const created = await createUpload(creator, { authorization, metadata })
    const url = created.headers.get('location') ?? ''
    for (const [method, target] of [
      ['POST', `${creator}/uploads`],
      ['HEAD', url],
      ['PATCH', url],
      ['DELETE', url],
    ] as const) {
      const answer = await fetch(target, { method, headers: { 'tus-resumable': '0.2.2', authorization } })
      expect([method, answer.status, answer.headers.get('tus-version')]).toEqual([method, 412, '1.0.0'])
    }
    await fetch(url, { method: 'DELETE', headers: { 'tus-resumable': '1.0.0', authorization } })
  })

  test('that nobody began is not found, whatever is asked of it', async () => {
    const url = `${creator}/uploads/0123456789abcdef0123456789abcdef`
    expect(await refused(url)).toMatchObject({ status: 404, problem: 'no-such-upload' })
    expect(await refused(`${url}/events`)).toMatchObject({ status: 404, problem: 'no-such-upload' })
    const authorization = await artist.token()
    expect((await refusalOf(await sendBytes(url, new Uint8Array(3), { authorization }))).status).toBe(404)
    expect((await refused(`${creator}/uploads/..%2f..%2fetc%2fpasswd`)).status).toBe(404)
  })

  test('goes on only from where it stands', async () => {
    const metadata = { filename: 'a.flac', grant: await grantFor(artist, creator) }
    const authorization = await artist.token()
    const created = await createUpload(creator, { authorization, metadata, byteLength: 100 })
    const url = created.headers.get('location') ?? ''
    const tooFar = await refusalOf(await sendBytes(url, new Uint8Array(50), { authorization, offset: 50 }))
    expect(tooFar.status).toBe(409)
    const first = await sendBytes(url, new Uint8Array(40), { authorization, offset: 0 })
    expect(first.headers.get('upload-offset')).toBe('40')
    const tooMuch = await sendBytes(url, new Uint8Array(200), { authorization, offset: 40 })
    expect(tooMuch.status).toBeGreaterThanOrEqual(400)
    const head = await fetch(url, { method: 'HEAD', headers: { 'tus-resumable': '1.0.0' } })
    expect(Number(head.headers.get('upload-offset'))).toBeLessThanOrEqual(100)
  })
})

describe('a request', () => {
  const unknownBlock = cidOf(new TextEncoder().encode('nobody has ever stored this'), 'raw')
  const unknownTrack = cidOf(new TextEncoder().encode('{"kind":"track"}'), 'dag-json')

  test.each([
    ['creator-node', creator],
    ...content.map((url, index) => [`content-service-${index + 1}`, url]),
  ])('to %s with a malformed or unknown CID says which of the two', async (_, origin) => {
    for (const path of [
      '/ipfs/bafynotacid',
      '/hls/bafynotacid/master.m3u8',
      '/audio/bafynotacid',
      '/manifests/bafynotacid/receipts',
    ]) {
      expect(await refused(origin + path)).toMatchObject({ status: 400 })
    }
    expect((await refused(`${origin}/ipfs/${await unknownBlock}?format=raw`)).status).toBe(404)
    expect((await refused(`${origin}/hls/${await unknownTrack}/master.m3u8`)).status).toBe(404)
    expect((await refused(`${origin}/hls/${await unknownBlock}/master.m3u8`)).status).toBe(400)
    expect((await refused(`${origin}/hls/${track.manifest}/none.m3u8`)).status).toBe(404)
  })

  test.each([
    ['/v1/tracks?cursor=bm90aGluZw', 400, 'invalid-cursor'],
    ['/v1/tracks?limit=0', 400, 'invalid-request'],
    ['/v1/tracks?limit=1000000', 400, 'invalid-request'],
    ['/v1/tracks?colour=red', 400, 'invalid-request'],
    ['/v1/tracks?author=me', 400, 'invalid-request'],
    ['/v1/tracks/17', 400, 'invalid-request'],
    [`/v1/tracks/0x${'ab'.repeat(20)}-5`, 404, undefined],
    [`/v1/tracks/0x${'ab'.repeat(20)}-5/stream`, 404, undefined],
    [`/v1/tracks/0x${'ab'.repeat(20)}-5/stream?format=mp3`, 400, 'invalid-request'],
    [`/v1/users/0x${'ab'.repeat(20)}/feed.xml`, 404, 'no-such-user'],
    ['/oembed?url=here', 400, 'invalid-request'],
    ['/v1/events?after=now', 400, 'invalid-request'],
    ['/v1/users/somebody', 400, 'invalid-request'],
    [`/v1/users/0x${'ab'.repeat(20)}`, 404, 'no-such-user'],
    ['/v1/playlists/x', 400, 'invalid-request'],
    ['/v1/search', 400, 'invalid-request'],
    [`/v1/search?q=${'a'.repeat(201)}`, 400, 'invalid-request'],
    ['/v1/search?q=a%00b', 400, 'invalid-request'],
    ['/v1/resolve', 400, 'invalid-request'],
    ['/v1/resolve?handle=Nobody%20at%20all', 400, 'invalid-request'],
    ['/v1/resolve?handle=nobody_at_all', 404, 'unknown-name'],
    ['/v1/nothing', 404, undefined],
    ['/v1/blocks/99999999', 404, 'not-indexed'],
  ])('to discovery for %s is refused with %d', async (path, status, problem) => {
    const refusal = await refused(discovery + path)
    expect(refusal.status).toBe(status)
    if (problem !== undefined) expect(refusal.problem).toBe(problem)
  })

  test('by a wrong method is told so, or that there is nothing', async () => {
    for (const [url, method, status] of [
      [`${creator}/uploads`, 'PUT', 404],
      [`${creator}/actions`, 'DELETE', 404],
      [`${holder}/ipfs/${track.manifest}`, 'POST', 405],
      [`${discovery}/v1/tracks`, 'POST', 404],
      [`${discovery}/v1/tracks/${track.id}`, 'DELETE', 404],
    ] as const) {
      expect([method, url, (await refused(url, { method })).status]).toEqual([method, url, status])
    }
    const answer = await refused(`${holder}/ipfs/${track.manifest}`, { method: 'POST' })
    expect(answer.headers.get('allow')).toContain('GET')
  })

  test('with a title of a megabyte is told how large a body may be', async () => {
    const subject = userSubject(artist.account.address)
    const { hash: _, ...action } = await signed(artist, { kind: 'user', subject, content: { prev: null } })
    const content = JSON.stringify({ prev: null, title: 'a'.repeat(1_000_000) })
    const headers = { authorization: await artist.token(), 'content-type': 'application/json' }
    const body = JSON.stringify({ ...action, content })
    const { status, detail } = await refused(`${creator}/actions`, { method: 'POST', headers, body })
    expect(status).toBe(413)
    expect(detail).toMatch(/more than the 65536 bytes/)
  })

  test('with a huge or broken JSON body is refused and the connection of others goes on', async () => {
    const headers = { authorization: await artist.token(), 'content-type': 'application/json' }
    const post = (url: string, body: string) => refused(url, { method: 'POST', headers, body })
    for (const url of [`${creator}/actions`, `${holder}/offers`]) {
      expect((await post(url, JSON.stringify({ content: 'a'.repeat(2_000_000) }))).status).toBe(413)
      expect((await post(url, '{"content": ')).status).toBe(400)
    }
    expect((await fetch(`${creator}/health`)).status).toBe(200)
  })
})

describe('after all this', () => {
  test('the track is as it was', async () => {
    // Whether it is encrypted is known once its manifest was read.
    const { premium: _, ...known } = track
    expect(await findTrack(artist.connection, track.id)).toMatchObject(known)
  })

  test('every service is ready', async () => {
    for (const origin of [creator, discovery, ...content]) {
      expect((await fetch(`${origin}/ready`)).status).toBe(200)
    }
  })

  test('the artist can still publish', async () => {
    const subject = subjectOf(artist.account.address, 4242n)
    const { status } = await artist.write('playlist', subject, {
      prev: null,
      title: 'Best of',
      add: [{ track: track.id }],
    })
    expect(status).toMatchObject({ status: 'applied', subject })
  })
})
