import { cidOf, encodeDagJson, linkTo } from '@hexachord/protocol/cids'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { putSample, sampleBytes } from '../ipfs/compliance/subject.ts'
import { bytesOf, type GatewayServer, startGateway } from './fixtures/gateway-server.ts'

describe('a block given as a file', () => {
  let gateway: GatewayServer
  let leaf: string
  let inner: string
  let root: string
  let absent: string

  beforeAll(async () => {
    gateway = await startGateway()
    leaf = await putSample(gateway.ipfs, 'leaf')
    absent = await cidOf(sampleBytes('absent'), 'raw')
    inner = await gateway.ipfs.put(
      encodeDagJson({ 'a b': linkTo(leaf), list: [7, linkTo(leaf)] }),
      'dag-json',
    )
    root = await gateway.ipfs.put(
      encodeDagJson({ deep: { inner: linkTo(inner) }, gone: linkTo(absent), n: 1 }),
      'dag-json',
    )
  })
  afterAll(() => gateway.close())

  test.each([
    ['seg-00012.m4s', 'audio/mp4'],
    ['init.mp4', 'audio/mp4'],
    ['Song.FLAC', 'audio/flac'],
    ['cover.jpg', 'image/jpeg'],
    ['page.html', 'application/octet-stream'],
    ['drawing.svg', 'application/octet-stream'],
    ['script.js', 'application/octet-stream'],
    ['noending', 'application/octet-stream'],
    ['x.constructor', 'application/octet-stream'],
  ])('%s is served as %s, by its ending', async (filename, type) => {
    const answer = await gateway.get(`/ipfs/${leaf}?filename=${filename}`)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe(type)
    expect(answer.headers.get('content-disposition')).toBe(`inline; filename="${filename}"`)
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('etag')).toBe(`"${leaf}"`)
    expect(Buffer.compare(await bytesOf(answer), sampleBytes('leaf'))).toBe(0)
  })

  test('without a name it is bytes, and download makes it an attachment', async () => {
    const plain = await gateway.get(`/ipfs/${leaf}`)
    expect(plain.headers.get('content-type')).toBe('application/octet-stream')
    expect(plain.headers.has('content-disposition')).toBe(false)
    const download = await gateway.get(`/ipfs/${leaf}?filename=a.mp3&download=true`)
    expect(download.headers.get('content-disposition')).toBe('attachment; filename="a.mp3"')
  })

  test('a name that could break out of the header, or out of a folder, cannot', async () => {
    const filename = encodeURIComponent('../../Ünsägliche "Töne"\r\nX-Evil: 1\0.mp3')
    const answer = await gateway.get(`/ipfs/${leaf}?filename=${filename}`)
    expect(answer.status).toBe(200)
    expect(answer.headers.has('x-evil')).toBe(false)
    expect(answer.headers.get('content-disposition')).toBe(
      'inline; filename=".._..__ns_gliche _T_ne___X-Evil: 1_.mp3"; ' +
        "filename*=UTF-8''.._.._%C3%9Cns%C3%A4gliche%20%22T%C3%B6ne%22__X-Evil%3A%201_.mp3",
    )
  })

  test('a dag-json block is JSON', async () => {
    const answer = await gateway.get(`/ipfs/${inner}`)
    expect(answer.headers.get('content-type')).toBe('application/vnd.ipld.dag-json')
    expect(answer.headers.get('content-disposition')).toBe(`inline; filename="${inner}.json"`)
    expect(await answer.json()).toEqual({ 'a b': linkTo(leaf), list: [7, linkTo(leaf)] })
  })

  test.each([
    ['dag-json', 'application/vnd.ipld.dag-json'],
    ['json', 'application/json'],
  ])('a dag-json block can be asked for as %s, by URL and by Accept', async (format, type) => {
    for (const [query, accept] of [
      [`?format=${format}`, '*/*'],
      ['', type],
    ] as const) {
      const answer = await gateway.get(`/ipfs/${inner}${query}`, { headers: { accept } })
      expect(answer.headers.get('content-type')).toBe(type)
      expect(answer.headers.get('etag')).toBe(`"${inner}.${format}"`)
      expect(Buffer.compare(await bytesOf(answer), await gateway.ipfs.get(inner))).toBe(0)
    }
  })

  test.each(['dag-cbor', 'cbor', 'tar'])('a dag-json block is not converted to %s', async (format) => {
    expect((await gateway.get(`/ipfs/${inner}?format=${format}`)).status).toBe(406)
  })

  test.each(['deep/inner/a%20b', 'deep/inner/list/1', 'deep/inner/list/1/'])(
    'the path %s leads through links to a file',
    async (path) => {
      const answer = await gateway.get(`/ipfs/${root}/${path}?filename=a.flac`)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('audio/flac')
      expect(answer.headers.get('x-ipfs-path')).toBe(`/ipfs/${root}/${path.replace(/\/$/, '')}`)
      expect(answer.headers.get('x-ipfs-roots')).toBe([root, inner, leaf].join())
      expect(answer.headers.get('etag')).toBe(`"${leaf}"`)
      expect(Buffer.compare(await bytesOf(answer), sampleBytes('leaf'))).toBe(0)
    },
  )

  test('the path to a dag-json block gives its JSON', async () => {
    const answer = await gateway.get(`/ipfs/${root}/deep/inner`)
    expect(answer.headers.get('etag')).toBe(`"${inner}"`)
    expect(await answer.json()).toMatchObject({ list: [7, expect.anything()] })
  })

  test.each([
    ['nothing of that name', 'deep/other', 404],
    ['an index past the end', 'deep/inner/list/2', 404],
    ['an index that is none', 'deep/inner/list/-1', 404],
    ['below a file', 'deep/inner/list/1/0', 404],
    ['below a number', 'n/1', 404],
    ['what every object has', 'constructor/name', 404],
    ['a block that is not here', 'gone', 404],
    ['below a block that is not here', 'gone/x', 404],
    ['inside a block', 'deep', 501],
    ['a number inside a block', 'deep/inner/list/0', 501],
  ])('a path to %s (%s) ends with %i', async (_what, path, status) => {
    const answer = await gateway.get(`/ipfs/${root}/${path}`)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
  })

  test('there is no path below a raw block', async () => {
    expect((await gateway.get(`/ipfs/${leaf}/x`)).status).toBe(404)
  })

  test('a block that calls itself dag-json and is not has no paths, but can be had', async () => {
    const broken = await gateway.ipfs.put(new TextEncoder().encode('{"a":'), 'dag-json')
    expect((await gateway.get(`/ipfs/${broken}/a`)).status).toBe(404)
    expect((await gateway.get(`/ipfs/${broken}?format=raw`)).status).toBe(200)
  })

  describe('in part', () => {
    const whole = sampleBytes('leaf')
    const ranged = (range: string, headers: Record<string, string> = {}) =>
      gateway.get(`/ipfs/${leaf}?format=raw`, { headers: { range, ...headers } })

    test.each([
      ['bytes=0-9', 0, 9],
      ['bytes=100-', 100, 1999],
      ['bytes=-5', 1995, 1999],
      ['bytes=1990-5000', 1990, 1999],
      ['bytes=0-0', 0, 0],
    ])('%s', async (range, start, end) => {
      const answer = await ranged(range)
      expect(answer.status).toBe(206)
      expect(answer.headers.get('content-range')).toBe(`bytes ${start}-${end}/2000`)
      expect(answer.headers.get('content-length')).toBe(String(end - start + 1))
      expect(answer.headers.get('etag')).toBe(`"${leaf}.raw"`)
      expect(Buffer.compare(await bytesOf(answer), whole.subarray(start, end + 1))).toBe(0)
    })

    test.each([
      ['bytes=0-1,5-6', 200],
      ['lines=1-2', 200],
      ['', 200],
      ['bytes=abc', 200],
      ['bytes=5-1', 416],
    ])('%p is no single range of bytes: %d', async (range, status) => {
      const answer = await ranged(range)
      expect(answer.status).toBe(status)
      if (status === 200) expect(Buffer.compare(await bytesOf(answer), whole)).toBe(0)
      else expect(answer.headers.get('content-range')).toBe('bytes */2000')
    })

    test('416 beyond the end', async () => {
      const answer = await ranged('bytes=2000-')
      expect(answer.status).toBe(416)
      expect(answer.headers.get('content-range')).toBe('bytes */2000')
    })

    test('only of the version that the caller knows', async () => {
      expect((await ranged('bytes=0-1', { 'if-range': `"${leaf}.raw"` })).status).toBe(206)
      expect((await ranged('bytes=0-1', { 'if-range': '"another"' })).status).toBe(200)
    })

    test('of a plain file, too', async () => {
      const answer = await gateway.get(`/ipfs/${leaf}?filename=a.mp3`, { headers: { range: 'bytes=5-9' } })
      expect([answer.status, (await bytesOf(answer)).length]).toEqual([206, 5])
    })
  })
})
