import { cidOf } from '@hexachord/protocol/cids'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { identity } from 'multiformats/hashes/identity'
import { putList, putSample, sampleBytes } from '../ipfs/compliance/subject.ts'
import { bytesOf, type GatewayServer, startGateway } from './fixtures/gateway-server.ts'

const oneYearAlmost = 'public, max-age=29030400, immutable'
const rawType = 'application/vnd.ipld.raw'

describe('a block given raw, so that the client checks its hash', () => {
  let gateway: GatewayServer
  let leaf: string
  let list: string
  let absent: string

  beforeAll(async () => {
    gateway = await startGateway()
    leaf = await putSample(gateway.ipfs, 'leaf')
    list = await putList(gateway.ipfs, [leaf])
    absent = await cidOf(sampleBytes('absent'), 'raw')
  })
  afterAll(() => gateway.close())

  test('?format=raw gives the bytes with all headers of the specification', async () => {
    const answer = await gateway.get(`/ipfs/${leaf}?format=raw`)
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': rawType,
      'content-length': '2000',
      'content-disposition': `attachment; filename="${leaf}.bin"`,
      'x-content-type-options': 'nosniff',
      etag: `"${leaf}.raw"`,
      'cache-control': oneYearAlmost,
      'x-ipfs-path': `/ipfs/${leaf}`,
      'x-ipfs-roots': leaf,
      'accept-ranges': 'bytes',
      'access-control-allow-origin': '*',
    })
    expect(answer.headers.has('content-location')).toBe(false)
    expect(Buffer.compare(await bytesOf(answer), sampleBytes('leaf'))).toBe(0)
  })

  test('Accept gives the same, and says which URL always does', async () => {
    const answer = await gateway.get(`/ipfs/${leaf}?filename=a.m4s`, { headers: { accept: rawType } })
    expect(answer.headers.get('content-type')).toBe(rawType)
    expect(answer.headers.get('content-location')).toBe(`/ipfs/${leaf}?filename=a.m4s&format=raw`)
    expect(answer.headers.get('vary')).toBe('Accept')
    expect(answer.headers.get('etag')).toBe(`"${leaf}.raw"`)
    expect(Buffer.compare(await bytesOf(answer), sampleBytes('leaf'))).toBe(0)
  })

  test('format wins over Accept', async () => {
    const answer = await gateway.get(`/ipfs/${leaf}?format=raw`, {
      headers: { accept: 'application/vnd.ipld.car' },
    })
    expect(answer.headers.get('content-type')).toBe(rawType)
  })

  test('caches are told the URL of the format where Accept names another', async () => {
    const locationOf = async (query: string, accept: string) =>
      (await gateway.head(`/ipfs/${leaf}${query}`, { accept })).headers.get('content-location')
    expect(await locationOf('?format=raw', 'application/vnd.ipld.car')).toBe(`/ipfs/${leaf}?format=raw`)
    expect(await locationOf('?format=car', rawType)).toBe(`/ipfs/${leaf}?format=car`)
    expect(await locationOf('?format=raw', rawType)).toBeNull()
    expect(await locationOf('?format=raw', '*/*')).toBeNull()
    expect(await locationOf('', '*/*')).toBeNull()
  })

  test.each(['', '/'])(
    'no page makes /ipfs/CID%s the script of a worker that would rule over this origin',
    async (end) => {
      const answer = await gateway.get(`/ipfs/${leaf}${end}`, { headers: { 'service-worker': 'script' } })
      expect(answer.status).toBe(400)
    },
  )

  test('a dag-json block comes raw as well, and at the end of a path', async () => {
    const direct = await gateway.get(`/ipfs/${list}?format=raw`)
    expect(Buffer.compare(await bytesOf(direct), await gateway.ipfs.get(list))).toBe(0)
    const byPath = await gateway.get(`/ipfs/${list}/links/0?format=raw`)
    expect(byPath.headers.get('etag')).toBe(`"${leaf}.raw"`)
    expect(byPath.headers.get('x-ipfs-roots')).toBe(`${list},${leaf}`)
    expect(Buffer.compare(await bytesOf(byPath), sampleBytes('leaf'))).toBe(0)
  })

  test('filename names the download', async () => {
    const answer = await gateway.get(`/ipfs/${leaf}?format=raw&filename=seg-1.m4s`)
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="seg-1.m4s"')
    expect(answer.headers.get('content-type')).toBe(rawType)
  })

  test('HEAD has the headers of GET and no body', async () => {
    const get = await gateway.get(`/ipfs/${leaf}?format=raw`)
    const head = await gateway.head(`/ipfs/${leaf}?format=raw`)
    expect(head.status).toBe(200)
    // `fetch` closes the connection after each HEAD; ids and times are each answer's own.
    const ofConnection = ['connection', 'keep-alive', 'date', 'x-request-id']
    const lasting = (headers: Headers) => [...headers].filter(([name]) => !ofConnection.includes(name))
    expect(lasting(head.headers)).toEqual(lasting(get.headers))
    expect((await bytesOf(head)).length).toBe(0)
    expect((await bytesOf(get)).length).toBe(2000)
  })

  test.each(['GET', 'HEAD'])(
    'the probe of gateways is answered to %s: an empty block in its own name',
    async (method) => {
      const answer = await gateway.get('/ipfs/bafkqaaa?format=raw', { method })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe(rawType)
      expect(answer.headers.get('content-length')).toBe('0')
      expect((await bytesOf(answer)).length).toBe(0)
    },
  )

  test('a block in its own name is given without being stored', async () => {
    const cid = CID.createV1(raw.code, identity.digest(new TextEncoder().encode('hello')))
    const answer = await gateway.get(`/ipfs/${cid}?format=raw`)
    expect([answer.status, await answer.text()]).toEqual([200, 'hello'])
  })

  test.each(['GET', 'HEAD'])('404 for a block that is not here, to %s', async (method) => {
    const answer = await gateway.get(`/ipfs/${absent}?format=raw`, { method })
    expect(answer.status).toBe(404)
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    if (method === 'GET')
      expect(await answer.json()).toMatchObject({ status: 404, detail: expect.stringContaining(absent) })
  })

  test.each([
    ['of another codec', 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'],
    ['of version 0', 'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n'],
    ['of another hash', 'bafk2bzaceaxm23epjsmh75yvzcecsrbavlmkcxnva66bkdebdcnyw3bjrc74u'],
  ])('404 for a well-formed CID %s, since no such block is ever here', async (_what, cid) => {
    expect((await gateway.get(`/ipfs/${cid}?format=raw`)).status).toBe(404)
  })

  test.each(['bafkrei', 'not-a-cid', 'bafkreibadcid%00', `${'b'.repeat(300)}`, 'zzz', 'k', '0', 'Qm'])(
    '400 for the malformed CID %p',
    async (cid) => {
      const answer = await gateway.get(`/ipfs/${cid}?format=raw`)
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ type: 'urn:hexachord:problem:malformed-cid' })
    },
  )

  test('a CID in base58 or base36 names the same block', async () => {
    for (const base of [base36, base58btc]) {
      const answer = await gateway.get(`/ipfs/${CID.parse(leaf).toString(base)}?format=raw`)
      expect([answer.status, answer.headers.get('etag')]).toEqual([200, `"${leaf}.raw"`])
    }
  })

  test.each([
    [`?format=dag-cbor`, 406],
    [`?format=tar`, 406],
    [`?format=ipns-record`, 406],
    [`?format=dag-json`, 406],
    [`?format=json`, 406],
    [`?format=zip`, 400],
    [`?format=`, 400],
    [`?format=constructor`, 400],
  ])('%s of a raw block is refused with %i', async (query, status) => {
    expect((await gateway.get(`/ipfs/${leaf}${query}`)).status).toBe(status)
  })

  test.each([
    'application/vnd.ipld.dag-cbor',
    'application/vnd.ipld.dag-json',
    'application/vnd.ipfs.ipns-record',
  ])('Accept: %s of a raw block is refused with 406, and not if anything will do', async (accept) => {
    const refused = await gateway.get(`/ipfs/${leaf}`, { headers: { accept } })
    expect(refused.status).toBe(406)
    const served = await gateway.get(`/ipfs/${leaf}`, { headers: { accept: `${accept}, */*;q=0.1` } })
    expect(served.status).toBe(200)
  })

  test.each([
    ['*/*', 'application/octet-stream'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'application/octet-stream'],
    [`*/*, ${rawType}`, rawType],
    [`${rawType};q=0.5, */*`, 'application/octet-stream'],
    [`${rawType};q=0`, undefined],
  ])('of Accept: %s the first in rank that can be had is given', async (accept, type) => {
    const answer = await gateway.get(`/ipfs/${leaf}`, { headers: { accept } })
    expect(answer.headers.get('content-type')).toBe(type ?? 'application/problem+json; charset=utf-8')
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('405 for %s', async (method) => {
    const answer = await gateway.get(`/ipfs/${leaf}`, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  test('OPTIONS says what may be done', async () => {
    const plain = await gateway.get(`/ipfs/${leaf}`, { method: 'OPTIONS' })
    expect([plain.status, plain.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
    const preflight = await gateway.get(`/ipfs/${leaf}`, {
      method: 'OPTIONS',
      headers: { origin: 'https://player.example', 'access-control-request-method': 'GET' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-methods')).toContain('GET')
  })

  test.each(['GET', 'HEAD', 'OPTIONS'])(
    'scripts of other origins may ask and read, as the answer to %s says, with and without an origin',
    async (method) => {
      for (const headers of [new Headers(), new Headers({ origin: 'https://player.example' })]) {
        for (const path of [`/ipfs/${leaf}`, `/ipfs/${leaf}?format=raw`, '/ipfs/bafkqabtimvwgy3yk/']) {
          const answer = await gateway.get(path, { method, headers })
          const listed = (name: string) => (answer.headers.get(name) ?? '').split(', ')
          expect(answer.headers.get('access-control-allow-origin')).toBe('*')
          expect(listed('access-control-allow-methods')).toEqual(['GET', 'HEAD', 'OPTIONS'])
          expect(listed('access-control-allow-headers')).toEqual(
            expect.arrayContaining(['Content-Type', 'Range', 'User-Agent', 'X-Requested-With']),
          )
          expect(listed('access-control-expose-headers')).toEqual(
            expect.arrayContaining(['Content-Length', 'Content-Range', 'X-Ipfs-Path', 'X-Ipfs-Roots']),
          )
        }
      }
    },
  )
})
