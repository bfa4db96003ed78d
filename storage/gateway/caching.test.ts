import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cidOf, encodeDagJson, linkTo } from '@hexachord/protocol/cids'
import { type FaultKind, RetrievalFailed } from '@hexachord/protocol/retrieval'
import { afterEach, describe, expect, test } from '@jest/globals'
import { putList, putSample, sampleBytes } from '../ipfs/compliance/subject.ts'
import { BlockNotFound, BlockUnavailable, KuboUnavailable } from '../ipfs/index.ts'
import { bytesOf, type GatewayServer, startGateway } from './fixtures/gateway-server.ts'

let gateway: GatewayServer
afterEach(() => gateway.close())

describe('what the caller has already', () => {
  test.each([
    ['the same', (cid: string) => `"${cid}.raw"`],
    ['the same, weakly', (cid: string) => `W/"${cid}.raw"`],
    ['one of several', (cid: string) => `"other", W/"${cid}.raw" , "third"`],
    ['anything', () => '*'],
  ])('is not sent again when If-None-Match is %s', async (_what, etag) => {
    gateway = await startGateway()
    const cid = await putSample(gateway.ipfs, 'leaf')
    for (const method of ['GET', 'HEAD']) {
      const answer = await gateway.get(`/ipfs/${cid}?format=raw`, {
        method,
        headers: { 'if-none-match': etag(cid) },
      })
      expect(answer.status).toBe(304)
      expect(answer.headers.get('etag')).toBe(`"${cid}.raw"`)
      expect(answer.headers.get('cache-control')).toBe('public, max-age=29030400, immutable')
      expect((await bytesOf(answer)).length).toBe(0)
    }
  })

  test('is not sent in part, either', async () => {
    gateway = await startGateway()
    const cid = await putSample(gateway.ipfs, 'leaf')
    const headers = { 'if-none-match': `"${cid}"`, range: 'bytes=0-9' }
    expect((await gateway.get(`/ipfs/${cid}`, { headers })).status).toBe(304)
  })

  test('is told from what it never had', async () => {
    gateway = await startGateway()
    const cid = await putSample(gateway.ipfs, 'leaf')
    for (const etag of ['"other"', `W/"other", "${cid}.car"`, cid, '']) {
      const answer = await gateway.get(`/ipfs/${cid}?format=raw`, { headers: { 'if-none-match': etag } })
      expect([etag, answer.status]).toEqual([etag, 200])
      await bytesOf(answer)
    }
  })

  test('is told by representation: the plain file is not the raw block', async () => {
    gateway = await startGateway()
    const cid = await putSample(gateway.ipfs, 'leaf')
    const plain = await gateway.get(`/ipfs/${cid}`, { headers: { 'if-none-match': `"${cid}.raw"` } })
    expect(plain.status).toBe(200)
  })
})

describe('only-if-cached', () => {
  const onlyIfCached = { 'cache-control': 'max-age=0, Only-If-Cached' }

  test.each(['GET', 'HEAD'])(
    '%s: 200 for what is here, 412 for what is not, and nobody is asked',
    async (method) => {
      const asked: string[] = []
      gateway = await startGateway({
        fetchMissing: async (cid) => {
          asked.push(cid)
          throw new BlockNotFound(cid)
        },
      })
      const here = await putSample(gateway.ipfs, 'here')
      const absent = await cidOf(sampleBytes('absent'), 'raw')
      const init = { method, headers: onlyIfCached }
      expect((await gateway.get(`/ipfs/${here}?format=raw`, init)).status).toBe(200)
      expect((await gateway.get(`/ipfs/${absent}?format=raw`, init)).status).toBe(412)
      expect((await gateway.get(`/ipfs/${absent}?format=car`, init)).status).toBe(412)
      expect(asked).toEqual([])
    },
  )

  test('412 also for who has an ETag of what is not here, and along a path', async () => {
    gateway = await startGateway()
    const absent = await cidOf(sampleBytes('absent'), 'raw')
    const root = await gateway.ipfs.put(encodeDagJson({ gone: linkTo(absent) }), 'dag-json')
    const headers = { ...onlyIfCached, 'if-none-match': '*' }
    expect((await gateway.get(`/ipfs/${absent}`, { headers })).status).toBe(412)
    expect((await gateway.get(`/ipfs/${root}/gone`, { headers })).status).toBe(412)
  })
})

describe('what the operator refuses', () => {
  test('is gone: by name, at the end of a path, on the way, and inside a CAR', async () => {
    const refused = new Set<string>()
    gateway = await startGateway({ isDenied: (cid) => refused.has(cid) })
    const leaf = await putSample(gateway.ipfs, 'leaf')
    const inner = await putList(gateway.ipfs, [leaf])
    const root = await putList(gateway.ipfs, [inner])
    refused.add(leaf)
    for (const path of [leaf, `${leaf}?format=raw`, `${leaf}?format=car`, `${inner}/links/0`]) {
      const answer = await gateway.get(`/ipfs/${path}`)
      expect([path, answer.status]).toEqual([path, 410])
    }
    expect((await gateway.head(`/ipfs/${leaf}`)).status).toBe(410)
    expect((await gateway.get(`/ipfs/${leaf}`, { headers: { 'if-none-match': '*' } })).status).toBe(410)
    await expect(gateway.get(`/ipfs/${root}?format=car`).then(bytesOf)).rejects.toThrow()
    refused.add(inner)
    expect((await gateway.get(`/ipfs/${root}/links/0/links/0`)).status).toBe(410)
    expect((await gateway.get(`/ipfs/${root}`)).status).toBe(200)
  })

  test('is said to be away, and not gone, while a Kubo behind it does not answer', async () => {
    gateway = await startGateway({
      wrap: () => ({
        size: () => Promise.reject(new KuboUnavailable('http://127.0.0.1:5001', 'ECONNREFUSED')),
        get: () => Promise.reject(new KuboUnavailable('http://127.0.0.1:5001', 'ECONNREFUSED')),
      }),
    })
    const answer = await gateway.get(`/ipfs/${await putSample(gateway.ipfs, 'leaf')}`)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await answer.text()).not.toContain('5001')
  })

  test('stays refused while it is hot in memory', async () => {
    let isRefused = false
    gateway = await startGateway({ isDenied: () => isRefused })
    const cid = await putSample(gateway.ipfs, 'leaf')
    expect((await gateway.get(`/ipfs/${cid}`)).status).toBe(200)
    isRefused = true
    expect((await gateway.get(`/ipfs/${cid}`)).status).toBe(410)
  })
})

describe('hot blocks', () => {
  function counting(): { reads: string[]; options: Parameters<typeof startGateway>[0] } {
    const reads: string[] = []
    const options = {
      wrap: (ipfs: GatewayServer['ipfs']) => ({
        size: ipfs.size,
        get: (cid: string) => {
          reads.push(cid)
          return ipfs.get(cid)
        },
      }),
    }
    return { reads, options }
  }

  test('are read once, however many ask at the same time and after', async () => {
    const { reads, options } = counting()
    gateway = await startGateway(options)
    const cid = await putSample(gateway.ipfs, 'popular', 160_000)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => gateway.get(`/ipfs/${cid}?format=raw`)),
    )
    for (const answer of answers) expect((await bytesOf(answer)).length).toBe(160_000)
    expect((await gateway.get(`/ipfs/${cid}`)).status).toBe(200)
    expect(reads).toEqual([cid])
  })

  test('leave memory, the longest unused first, when it is full', async () => {
    const { reads, options } = counting()
    gateway = await startGateway({ ...options, cacheBytes: 2 * 100_000 + 2_000 })
    const [a = '', b = '', c = ''] = await Promise.all(
      ['a', 'b', 'c'].map((seed) => putSample(gateway.ipfs, seed, 100_000)),
    )
    for (const cid of [a, b, a, c, a, b]) await gateway.get(`/ipfs/${cid}`).then(bytesOf)
    expect(reads).toEqual([a, b, c, b])
  })

  test('are never rotten ones: what no longer has its hash is not found', async () => {
    gateway = await startGateway()
    const cid = await putSample(gateway.ipfs, 'rotten')
    const blocks = join(gateway.directory, 'blocks')
    const path = (await readdir(blocks, { recursive: true })).find((name) => name.endsWith(cid))
    await writeFile(join(blocks, path ?? ''), sampleBytes('something else'))
    expect((await gateway.get(`/ipfs/${cid}?format=raw`)).status).toBe(404)
    await putSample(gateway.ipfs, 'rotten')
    const mended = await gateway.get(`/ipfs/${cid}?format=raw`)
    expect(Buffer.compare(await bytesOf(mended), sampleBytes('rotten'))).toBe(0)
  })

  test('are served without any memory for them, too', async () => {
    gateway = await startGateway({ cacheBytes: 0 })
    const cid = await putSample(gateway.ipfs, 'leaf')
    expect((await bytesOf(await gateway.get(`/ipfs/${cid}`))).length).toBe(2_000)
    expect((await bytesOf(await gateway.get(`/ipfs/${cid}`))).length).toBe(2_000)
  })

  test('are not pushed out by a CAR', async () => {
    const { reads, options } = counting()
    gateway = await startGateway({ ...options, cacheBytes: 110_000 })
    const hot = await putSample(gateway.ipfs, 'hot', 100_000)
    const root = await putList(gateway.ipfs, [await putSample(gateway.ipfs, 'cold', 100_000)])
    await gateway.get(`/ipfs/${hot}`).then(bytesOf)
    await gateway.get(`/ipfs/${root}?format=car`).then(bytesOf)
    await gateway.get(`/ipfs/${hot}`).then(bytesOf)
    expect(reads.filter((cid) => cid === hot)).toHaveLength(1)
  })
})

describe('a gateway of last resort', () => {
  test('gets what is not here once for all who ask, and keeps it in memory', async () => {
    let calls = 0
    gateway = await startGateway({
      fetchMissing: async () => {
        calls += 1
        return sampleBytes('remote')
      },
    })
    const cid = await cidOf(sampleBytes('remote'), 'raw')
    const answers = await Promise.all(Array.from({ length: 8 }, () => gateway.get(`/ipfs/${cid}?format=raw`)))
    for (const answer of answers) expect(Buffer.compare(await bytesOf(answer), sampleBytes('remote'))).toBe(0)
    expect((await gateway.head(`/ipfs/${cid}?format=raw`)).headers.get('content-length')).toBe('2000')
    expect(calls).toBe(1)
    expect(await gateway.ipfs.has(cid)).toBe(false)
  })

  test('never passes wrong bytes on', async () => {
    gateway = await startGateway({ fetchMissing: async () => sampleBytes('something else') })
    const cid = await cidOf(sampleBytes('remote'), 'raw')
    const answer = await gateway.get(`/ipfs/${cid}?format=raw`)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([502, '5'])
  })

  const fault = (kind: FaultKind) => ({ source: 'a', cid: '', kind, message: '' })

  test.each([
    ['nobody has it', 404, new BlockNotFound('')],
    ['no peer has it', 404, new BlockUnavailable('', 'none has it')],
    ['all sources miss it', 404, new RetrievalFailed('', [fault('missing'), fault('missing')])],
    ['a source lied', 502, new RetrievalFailed('', [fault('missing'), fault('lied')])],
    ['a source was too slow', 504, new RetrievalFailed('', [fault('lied'), fault('timed-out')])],
    ['asking failed', 502, new Error('connection refused')],
  ])('when %s the answer is %i', async (_what, status, error) => {
    gateway = await startGateway({ fetchMissing: () => Promise.reject(error) })
    const cid = await cidOf(sampleBytes('remote'), 'raw')
    const answer = await gateway.get(`/ipfs/${cid}`)
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([status, status !== 404])
  })

  test('504 when it takes too long', async () => {
    gateway = await startGateway({
      fetchTimeoutMs: 50,
      fetchMissing: (_cid, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
    })
    const cid = await cidOf(sampleBytes('remote'), 'raw')
    const late = await gateway.get(`/ipfs/${cid}`)
    expect([late.status, late.headers.get('retry-after')]).toEqual([504, '5'])
  })
})
