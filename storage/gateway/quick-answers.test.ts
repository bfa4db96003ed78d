import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { cidOf, encodeDagJson, linkTo } from '@hexachord/protocol/cids'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { base36 } from 'multiformats/bases/base36'
import { CID } from 'multiformats/cid'
import { putSample, sampleBytes } from '../ipfs/compliance/subject.ts'
import { bytesOf, type GatewayServer, startGateway } from './fixtures/gateway-server.ts'

type Headers = Record<string, string>

/** Everything that a client sees of an answer, to the letter, apart from the time. */
async function answerOf(gateway: GatewayServer, method: string, path: string, headers: Headers) {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const sent = request(gateway.origin + path, { method, headers, timeout: 10_000 }, async (answer) => {
    const lines = answer.rawHeaders.join('\n').replace(/Date\n[^\n]*/, '')
    resolve({
      status: answer.statusCode,
      lines: lines.split('\n').sort(),
      body: await text(answer).catch(() => 'broken off'),
    })
  })
  sent.once('error', reject)
  sent.end()
  return promise
}

describe('what is answered before the app', () => {
  let quick: GatewayServer
  let slow: GatewayServer
  let leaf: string
  let list: string
  let absent: string

  beforeAll(async () => {
    quick = await startGateway()
    slow = await startGateway({ quick: false })
    absent = await cidOf(sampleBytes('absent'), 'raw')
    for (const { ipfs } of [quick, slow]) {
      leaf = await putSample(ipfs, 'leaf')
      list = await ipfs.put(encodeDagJson({ leaf: linkTo(leaf), gone: linkTo(absent) }), 'dag-json')
    }
  })
  afterAll(async () => {
    await quick.close()
    await slow.close()
  })

  const paths = (): string[] => [
    ...[leaf, list, absent].flatMap((cid) => [`/ipfs/${cid}`, `/ipfs/${cid}?format=raw`]),
    `/ipfs/${leaf}/`,
    `/ipfs/${leaf}?filename=segment-00001.m4s`,
    `/ipfs/${leaf}?filename=T%C3%B6ne.flac&download=true`,
    `/ipfs/${leaf}?format=raw&filename=a.bin`,
    `/ipfs/${leaf}?format=car`,
    `/ipfs/${leaf}?format=zip`,
    `/ipfs/${CID.parse(leaf).toString(base36)}?format=raw`,
    `/IPFS/${leaf}?format=raw`,
    `/ipfs/${list}?format=dag-json`,
    `/ipfs/${list}/leaf?format=raw`,
    `/ipfs/${list}/gone`,
    '/ipfs/bafkqaaa?format=raw',
    '/ipfs/none',
  ]
  const headerSets = (): Headers[] => [
    {},
    { accept: '*/*' },
    { accept: 'application/vnd.ipld.raw' },
    { accept: 'application/vnd.ipld.car, */*;q=0.1' },
    { accept: 'application/vnd.ipld.dag-cbor' },
    { accept: 'text/html', origin: 'https://player.example', cookie: 'a=b', authorization: 'Hexachord x' },
    { range: 'bytes=5-9' },
    { range: 'bytes=9000-', 'if-range': '"other"' },
    { 'if-none-match': '*' },
    { 'if-none-match': `"${leaf}.raw"`, accept: '*/*' },
    { 'cache-control': 'only-if-cached' },
    { 'cache-control': 'no-cache' },
    { 'service-worker': 'script' },
    { 'content-type': 'application/json', 'content-length': '0' },
  ]

  test('cannot be told from what the app answers, whatever is asked and however often', async () => {
    for (const path of paths()) {
      for (const headers of headerSets()) {
        for (const method of ['GET', 'GET', 'HEAD', 'GET']) {
          // The id stands in problems, too.
          const sent = { ...headers, 'x-request-id': 'request-7' }
          const [answer, expected] = await Promise.all([
            answerOf(quick, method, path, sent),
            answerOf(slow, method, path, sent),
          ])
          expect({ method, path, headers, answer }).toEqual({ method, path, headers, answer: expected })
        }
      }
    }
    expect(quick.quickAnswers()).toBeGreaterThan(paths().length)
    expect(slow.quickAnswers()).toBe(0)
  }, 60_000)

  test('has an id of its own each time', async () => {
    const path = `/ipfs/${leaf}?format=raw&filename=ids`
    const ids = new Set<string | null>()
    for (let times = 0; times < 4; times += 1) {
      const answer = await quick.get(path)
      await bytesOf(answer)
      ids.add(answer.headers.get('x-request-id'))
    }
    expect(ids.size).toBe(4)
  })
})

describe('a block that was answered before', () => {
  test('is read again when it is no longer in memory', async () => {
    const gateway = await startGateway({ cacheBytes: 150_000 })
    try {
      const [a = '', b = ''] = await Promise.all(
        ['a', 'b'].map((seed) => putSample(gateway.ipfs, seed, 100_000)),
      )
      for (const cid of [a, b, a, b]) {
        const bytes = await bytesOf(await gateway.get(`/ipfs/${cid}?format=raw`))
        expect(await cidOf(bytes, 'raw')).toBe(cid)
      }
      expect(gateway.quickAnswers()).toBe(0)
    } finally {
      await gateway.close()
    }
  })

  test('is refused from the moment at which the operator refuses it', async () => {
    let isRefused = false
    const gateway = await startGateway({ isDenied: () => isRefused })
    try {
      const cid = await putSample(gateway.ipfs, 'leaf')
      const statuses: number[] = []
      for (const refused of [false, false, true, false]) {
        isRefused = refused
        statuses.push((await gateway.get(`/ipfs/${cid}?format=raw`)).status)
      }
      expect(statuses).toEqual([200, 200, 410, 200])
      expect(gateway.quickAnswers()).toBe(2)
    } finally {
      await gateway.close()
    }
  })
})
