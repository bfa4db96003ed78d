import { cidOf, encodeDagJson, linkTo } from '@hexachord/protocol/cids'
import { CarReader } from '@ipld/car/reader'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { putList, putSample, sampleBytes } from '../ipfs/compliance/subject.ts'
import { bytesOf, type GatewayServer, startGateway } from './fixtures/gateway-server.ts'

const carType = 'application/vnd.ipld.car; version=1; order=dfs; dups=n'

describe('a DAG given as a CAR', () => {
  let gateway: GatewayServer
  /** What the gateway has read from its node, in order. */
  const reads: string[] = []
  let shared: string
  let own: string
  let inner: string
  let root: string

  beforeAll(async () => {
    gateway = await startGateway({
      wrap: ({ get, size }) => ({
        size,
        get(cid, options) {
          reads.push(cid)
          return get(cid, options)
        },
      }),
    })
    shared = await putSample(gateway.ipfs, 'shared')
    own = await putSample(gateway.ipfs, 'own', 300_000)
    inner = await putList(gateway.ipfs, [shared, own])
    root = await putList(gateway.ipfs, [shared, inner, shared])
  })
  afterAll(() => gateway.close())

  async function carOf(path: string, headers: Record<string, string> = {}) {
    const answer = await gateway.get(path, { headers })
    const reader = await CarReader.fromBytes(await bytesOf(answer))
    const blocks: string[] = []
    for await (const { cid, bytes } of reader.blocks()) {
      blocks.push(cid.toString())
      expect(Buffer.compare(bytes, await gateway.ipfs.get(cid.toString()))).toBe(0)
    }
    return { answer, roots: (await reader.getRoots()).map(String), blocks }
  }

  test('holds each block once, depth first, and names its root', async () => {
    const { answer, roots, blocks } = await carOf(`/ipfs/${root}?format=car`)
    expect(roots).toEqual([root])
    expect(blocks).toEqual([root, shared, inner, own])
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': carType,
      'content-disposition': `attachment; filename="${root}.car"`,
      'x-content-type-options': 'nosniff',
      etag: `W/"${root}.car"`,
      'cache-control': 'public, max-age=29030400, immutable',
      'accept-ranges': 'none',
      'x-ipfs-roots': root,
      'access-control-allow-origin': '*',
    })
  })

  test('comes by Accept as well, with the parameters that stand there', async () => {
    const accept = 'application/vnd.ipld.car; version=1; order=dfs; dups=y'
    const { answer, blocks } = await carOf(`/ipfs/${root}`, { accept })
    expect(answer.headers.get('content-type')).toBe(carType)
    expect(answer.headers.get('content-location')).toBe(`/ipfs/${root}?format=car`)
    expect(blocks).toHaveLength(4)
  })

  test.each([
    ['dag-scope=block', ['root']],
    ['dag-scope=entity', ['root']],
    ['dag-scope=all', ['root', 'shared', 'inner', 'own']],
    ['entity-bytes=0:100', ['root']],
    ['dag-scope=entity&entity-bytes=-5:*', ['root']],
  ])('%s', async (query, names) => {
    const byName: Record<string, string> = { root, shared, inner, own }
    const { blocks } = await carOf(`/ipfs/${root}?format=car&${query}`)
    expect(blocks).toEqual(names.map((name) => byName[name]))
  })

  test('of a path holds the blocks on the way, so that each step can be checked', async () => {
    const all = await carOf(`/ipfs/${root}/links/1?format=car`)
    expect([all.roots, all.blocks]).toEqual([[root], [root, inner, shared, own]])
    const one = await carOf(`/ipfs/${root}/links/1/links/1?format=car&dag-scope=block`)
    expect(one.blocks).toEqual([root, inner, own])
  })

  test('of a raw block holds that block', async () => {
    expect((await carOf(`/ipfs/${shared}?format=car`)).blocks).toEqual([shared])
  })

  test('of a block in its own name holds no block', async () => {
    const { roots, blocks } = await carOf('/ipfs/bafkqaaa?format=car')
    expect([roots, blocks]).toEqual([['bafkqaaa'], []])
  })

  test('has different ETags for different selections, and 304 for each', async () => {
    const paths = [
      '?format=car',
      '?format=car&dag-scope=block',
      '?format=car&dag-scope=entity',
      '?format=car&entity-bytes=0:*',
      '?format=car&entity-bytes=0:9',
      '/links/1?format=car',
      '/links/1?format=car&dag-scope=block',
    ]
    const etags = new Set<string>()
    for (const path of paths) {
      const etag = (await gateway.head(`/ipfs/${root}${path}`)).headers.get('etag') ?? ''
      expect(etag).toMatch(/^W\/"[a-z2-7]+\.car/)
      etags.add(etag)
      expect((await gateway.head(`/ipfs/${root}${path}`, { 'if-none-match': etag })).status).toBe(304)
    }
    expect(etags.size).toBe(paths.length)
  })

  test.each([
    'car-version=2',
    'car-order=bfs',
    'car-dups=maybe',
    'dag-scope=some',
    'entity-bytes=1',
    'entity-bytes=a:b',
  ])('400 for %s', async (query) => {
    const answer = await gateway.get(`/ipfs/${root}?format=car&${query}`)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ type: 'urn:hexachord:problem:invalid-parameter' })
  })

  test.each([
    ['0:*', 200],
    ['0:0', 200],
    ['1999:1999', 200],
    ['1999:5000', 200],
    ['-5:*', 200],
    ['-5000:3', 200],
    ['9:3', 200],
    ['2000:*', 400],
    ['5000:6000', 400],
    ['-9000:-5000', 400],
  ])('entity-bytes=%s of 2000 bytes: %i, and the block comes whole', async (bytes, status) => {
    const path = `/ipfs/${shared}?format=car&entity-bytes=${bytes}`
    expect((await gateway.head(path)).status).toBe(status)
    if (status === 200) expect((await carOf(path)).blocks).toEqual([shared])
    else expect((await gateway.get(path)).status).toBe(400)
  })

  test('any entity-bytes of a document mean all of it, since it is no row of bytes', async () => {
    expect((await carOf(`/ipfs/${root}?format=car&entity-bytes=900000:*`)).blocks).toEqual([root])
  })

  test('404 when the root is not here', async () => {
    const absent = await cidOf(sampleBytes('absent'), 'raw')
    expect((await gateway.get(`/ipfs/${absent}?format=car`)).status).toBe(404)
    expect((await gateway.head(`/ipfs/${absent}?format=car`)).status).toBe(404)
  })

  test('breaks off when a block below is missing, and does not end as if it were whole', async () => {
    const absent = await cidOf(sampleBytes('absent'), 'raw')
    const holed = await gateway.ipfs.put(
      encodeDagJson({ links: [linkTo(own), linkTo(absent), linkTo(shared)] }),
      'dag-json',
    )
    const answer = await gateway.get(`/ipfs/${holed}?format=car`)
    expect(answer.status).toBe(200)
    await expect(answer.arrayBuffer()).rejects.toThrow()
    expect((await carOf(`/ipfs/${holed}?format=car&dag-scope=block`)).blocks).toEqual([holed])
  })

  test('stops reading when the caller hangs up', async () => {
    const many = await Promise.all(
      Array.from({ length: 24 }, (_, index) => putSample(gateway.ipfs, `big ${index}`, 900_000)),
    )
    const list = await putList(gateway.ipfs, many)
    const stop = new AbortController()
    const answer = await gateway.get(`/ipfs/${list}?format=car`, { signal: stop.signal })
    const reader = answer.body?.getReader()
    // The header comes before anything is read.
    for (let bytes = 0; bytes < 10_000; ) bytes += (await reader?.read())?.value?.length ?? 0
    stop.abort()
    // Whoever reads all of it is done later than the one who hung up would have been.
    expect((await carOf(`/ipfs/${list}?format=car`)).blocks).toHaveLength(1 + many.length)
    expect(reads.filter((cid) => cid === list)).toHaveLength(2)
    expect(reads.filter((cid) => cid === many.at(-1))).toHaveLength(1)
  })
})
