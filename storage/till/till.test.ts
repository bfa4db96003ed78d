import { createLogger } from '@hexachord/platform/process'
import { type Hash, subjectOf, subjectToBytes32 } from '@hexachord/protocol/names'
import { paymentDomains, type SentVoucher } from '@hexachord/protocol/payments'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { eventually } from '../ipfs/fixtures/eventually.ts'
import {
  paymentSignature,
  post,
  reportIn,
  startTill,
  type TestListener,
  type TillServer,
  testListener,
  testNetwork,
  testNode,
  testPrice,
  testSubject,
} from './fixtures/index.ts'

const lines: string[] = []
let server: TillServer
let listener: TestListener
let session: string
beforeAll(async () => {
  const logger = createLogger({
    service: 'test',
    level: 'debug',
    destination: { write: (line: string) => void lines.push(line) },
  })
  server = await startTill({
    logger,
    previewUnits: 1,
    peerOf: ({ headers }) => (headers.authorization === 'a node' ? testNode : undefined),
  })
})
afterAll(() => server.close())
beforeEach(async () => {
  listener = testListener()
  const { address } = listener
  server.chain.channels.set(address + address, {
    reserved: 10_000n,
    released: 0n,
    releasing: 0n,
    settled: 0n,
  })
  session = (await reportIn(await post(server.origin, '/pay/sessions', await listener.opening()))).session
})

const segment = (unit: number, rendition = 0) => `/ipfs/${server.segment(unit, rendition)}`
const pay = async (paid: bigint, change?: Parameters<TestListener['voucher']>[1]) =>
  post(server.origin, '/pay/vouchers', { session, voucher: await listener.voucher(paid, change) })
const bytesOf = async (response: Response) => (await response.arrayBuffer()).byteLength

describe('a session', () => {
  test('is opened once by an opening, and known by its secret only', async () => {
    const opening = await listener.opening()
    const [one, two] = await Promise.all([
      post(server.origin, '/pay/sessions', opening),
      post(server.origin, '/pay/sessions', opening),
    ])
    expect([one.status, one.headers.get('access-control-allow-origin')]).toEqual([201, '*'])
    const report = await reportIn(one)
    expect(report).toEqual(await reportIn(two))
    expect(report).toMatchObject({
      ...{
        subject: testSubject,
        manifest: server.track.manifest,
        units: 8,
        unitPrice: testPrice,
        paidUnits: [],
        credit: 0n,
      },
      channel: {
        payer: listener.address,
        key: listener.address,
        node: testNode,
        reserved: 10_000n,
        base: 0n,
        last: null,
      },
    })
    expect(Buffer.from(report.session, 'base64url').length).toBeGreaterThanOrEqual(16)
    expect(await reportIn(await server.get(`/pay/sessions/${report.session}`))).toEqual(report)
    expect((await server.get('/pay/sessions/another')).status).toBe(404)
  })

  test('is paid by its opening, and opens also where that voucher is refused', async () => {
    const open = async (voucher: SentVoucher) =>
      reportIn(await post(server.origin, '/pay/sessions', { ...(await listener.opening()), voucher }))
    const voucher = await listener.voucher(2n * testPrice)
    const paid = await open(voucher)
    expect(paid).toMatchObject({ credit: 2n * testPrice, channel: { last: voucher } })
    expect((await server.get(`${segment(2)}?s=${paid.session}`)).status).toBe(200)
    const refused = await open(await listener.voucher(20_000n))
    expect(refused).toMatchObject({ credit: testPrice, channel: { last: voucher } })
    expect(refused.session).not.toBe(paid.session)
  })

  const now = () => Date.now()
  test.each([
    ['a clock that is behind', () => listener.opening({ expiresAt: now() - 1 }), 400, 'opening-out-of-time'],
    [
      'a clock that is ahead',
      () => listener.opening({ expiresAt: now() + 90_000 }),
      400,
      'opening-out-of-time',
    ],
    ['another node', () => listener.opening({ node: `0x${'99'.repeat(20)}` }), 400, 'wrong-opening'],
    [
      'a signature in the upper half',
      () => listener.opening({ signature: `0x${'f'.repeat(128)}1b` }),
      400,
      'wrong-opening',
    ],
    [
      'a track that is none',
      () => listener.opening({ subject: subjectOf(testNode, 8n) }),
      404,
      'unknown-track',
    ],
    ['a body that is no JSON', () => '{', 400, 'malformed-json'],
    ['a body that is another message', () => ({ payer: 5 }), 400, 'invalid-request'],
    ['too much', () => ' '.repeat(17_000), 413, 'payload-too-large'],
  ])('is not opened with %s', async (_, opening, status, slug) => {
    const response = await post(server.origin, '/pay/sessions', await opening())
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ type: `urn:hexachord:problem:${slug}` })
  })

  test('opens and is paid through an hour in which nothing is heard of the chain, on what was reserved before', async () => {
    let now = Date.now()
    const channel = { reserved: 10_000n, released: 0n, releasing: 0n, settled: 0n }
    const alone = await startTill({ now: () => now })
    const { address } = listener
    alone.chain.channels.set(address + address, channel)
    const block = (unit: number, token: string) => alone.get(`/ipfs/${alone.segment(unit)}?s=${token}`)
    try {
      let token = ''
      for (let unit = 0; unit <= 7; unit++) {
        const opening = await listener.opening({ expiresAt: now + 30_000 })
        token = (await reportIn(await post(alone.origin, '/pay/sessions', opening))).session
        const voucher = await listener.voucher(BigInt(unit + 1) * testPrice)
        expect((await post(alone.origin, '/pay/vouchers', { session: token, voucher })).status).toBe(200)
        expect((await block(unit, token)).status).toBe(200)
        now += 10 * 60_000
      }
      // What was reserved bounds what a node can lose, however long it lasts.
      const beyond = await listener.voucher(10_001n)
      const refused = await post(alone.origin, '/pay/vouchers', { session: token, voucher: beyond })
      expect(await refused.json()).toMatchObject({ fault: 'StreamReserveExceeded' })
    } finally {
      await alone.close()
    }
  })

  test('tells a clock that is wrong what time it is', async () => {
    const response = await post(server.origin, '/pay/sessions', await listener.opening({ expiresAt: 5 }))
    const { now: told } = (await response.json()) as { now: number }
    expect(Math.abs(told - Date.now())).toBeLessThan(5_000)
  })
})

describe('a paid block', () => {
  test('is refused with what x402 clients need, and never to be kept by caches', async () => {
    const response = await server.get(segment(3))
    expect(response.status).toBe(402)
    expect(response.headers.get('access-control-expose-headers')).toContain('PAYMENT-REQUIRED')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({
      ...{ type: 'urn:hexachord:problem:payment-required', subject: testSubject, unit: 3, unitPrice: '100' },
    })
    const required = JSON.parse(
      Buffer.from(response.headers.get('payment-required') ?? '', 'base64').toString(),
    )
    expect(required).toMatchObject({
      ...{ x402Version: 2, resource: { url: `https://node.example${segment(3)}` } },
      accepts: [
        {
          ...{ scheme: 'stream-voucher', network: 'eip155:31337', amount: '100', payTo: testNode },
          ...{ asset: testNetwork.payments.token, extra: { escrow: testNetwork.payments.streamEscrow } },
        },
      ],
    })
  })

  test('is served for what was paid, and charged by units: not for another rendition, not for a retry', async () => {
    const report = await reportIn(await pay(200n))
    expect(report).toMatchObject({ credit: 200n, channel: { last: { cumulative: 200n } } })
    const first = await server.get(`${segment(1)}?s=${session}`)
    expect([first.status, await bytesOf(first)]).toEqual([200, 3_001])
    expect(first.headers.get('cache-control')).toContain('private')
    expect((await server.get(`${segment(1, 1)}?s=${session}`)).status).toBe(200)
    const part = await server.get(`${segment(1)}?filename=a.m4s&s=${session}`, {
      headers: { range: 'bytes=5-9' },
    })
    expect([part.status, await bytesOf(part)]).toEqual([206, 5])
    expect((await server.get(`${segment(2)}?s=${session}`)).status).toBe(200)
    const last = await server.get(`${segment(4)}?s=${session}`)
    expect(last.status).toBe(402)
    expect(await last.json()).toMatchObject({
      missing: '100',
      report: { paidUnits: [1, 2], credit: '0', channel: { base: '0' } },
    })
    // Fetched for the fourth time it costs again.
    expect((await server.get(`${segment(1)}?s=${session}`)).status).toBe(402)
  })

  test('is paid for and fetched in one request, however many at a time', async () => {
    const fetches = [1n, 2n, 3n, 4n].map(async (unit) => {
      const headers = { 'payment-signature': paymentSignature(session, await listener.voucher(unit * 100n)) }
      return server.get(segment(Number(unit)), { headers })
    })
    const answers = await Promise.all(fetches)
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([])
    const response = JSON.parse(
      Buffer.from(answers[0]?.headers.get('payment-response') ?? '', 'base64').toString(),
    )
    expect(response).toMatchObject({
      success: true,
      network: 'eip155:31337',
      payer: listener.address,
      amount: '100',
    })
    const report = await reportIn(await server.get(`/pay/sessions/${session}`))
    expect(report).toMatchObject({ paidUnits: [1, 2, 3, 4], credit: 0n })
  })

  test('costs nothing to ask about, and nothing where the caller has it', async () => {
    await pay(100n)
    const head = await server.get(`${segment(5)}?s=${session}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '3005'])
    expect((await server.get(segment(5), { method: 'HEAD' })).status).toBe(402)
    const etag = head.headers.get('etag') ?? ''
    const known = await server.get(segment(5), { headers: { 'if-none-match': etag } })
    expect(known.status).toBe(304)
    expect((await reportIn(await server.get(`/pay/sessions/${session}`))).paidUnits).toEqual([])
  })

  test('is not to be had by a path, in a CAR, as a file, or from the cache alone', async () => {
    const { manifest } = server.track
    for (const path of [
      `/ipfs/${manifest}/renditions/0/segments/3/2`,
      `/ipfs/${manifest}?format=car`,
      `${segment(3)}?format=car`,
      `${segment(3)}?format=raw`,
      `/audio/${manifest}`,
    ]) {
      expect([path, (await server.get(path)).status]).toEqual([path, 402])
    }
    const cached = await server.get(segment(3), { headers: { 'cache-control': 'only-if-cached' } })
    expect(cached.status).toBe(402)
    expect((await server.get(`/ipfs/${manifest}?format=car&dag-scope=block`)).status).toBe(200)
  })

  test('is free for nodes of the network, in a preview, and where its track became free', async () => {
    const headers = { authorization: 'a node' }
    expect((await server.get(segment(3), { headers })).status).toBe(200)
    expect((await server.get(segment(3), { headers: { authorization: 'somebody' } })).status).toBe(402)
    const car = await server.get(`/ipfs/${server.track.manifest}?format=car`, { headers })
    expect([car.status, car.headers.get('cache-control')]).toEqual([
      200,
      'private, max-age=29030400, immutable',
    ])
    expect((await server.get(segment(0))).status).toBe(200)
    const terms = server.chain.terms.get(subjectToBytes32(testSubject))
    server.chain.terms.delete(subjectToBytes32(testSubject))
    const free = await server.get(segment(3))
    expect([free.status, free.headers.get('cache-control')]).toEqual([
      200,
      'public, max-age=29030400, immutable',
    ])
    if (terms !== undefined) server.chain.terms.set(subjectToBytes32(testSubject), { ...terms, nodeBps: 900 })
    const refused = await server.get(segment(3))
    expect([refused.status, await refused.json()]).toMatchObject([403, { nodeBps: 900, leastNodeBps: 1_000 }])
    if (terms !== undefined) server.chain.terms.set(subjectToBytes32(testSubject), terms)
    expect((await server.get(segment(3))).status).toBe(402)
  })

  test('stays paid where another track that has it costs nothing, or has it in its preview', async () => {
    const copy = subjectOf(testNode, 5n)
    const terms = { unitPrice: 1n, nodeBps: 1_500, curatorBps: 0, version: 1 }
    const [rendition] = server.loaded.renditions
    if (rendition === undefined) throw new Error('no rendition')
    const backwards = { ...rendition, segments: rendition.segments.toReversed() }
    server.till.paidBlocks.add(copy, { ...server.loaded, renditions: [backwards] })
    try {
      server.chain.terms.set(subjectToBytes32(copy), terms)
      expect((await server.get(segment(7))).status).toBe(402)
      server.chain.terms.set(subjectToBytes32(copy), { ...terms, unitPrice: 0n })
      expect((await server.get(segment(3))).status).toBe(402)
      expect((await server.get(segment(0))).status).toBe(200)
    } finally {
      server.till.paidBlocks.remove(copy)
      server.chain.terms.delete(subjectToBytes32(copy))
    }
  })

  test('is named with the session in playlists that were asked for with one', async () => {
    const playlist = await server.get(`/hls/${server.track.manifest}/aac-160.m3u8?s=${session}`)
    expect(playlist.headers.get('cache-control')).toContain('private')
    const uris = (await playlist.text()).split('\n').filter((line) => line.includes('.m4s'))
    expect(uris).toHaveLength(8)
    for (const uri of uris) expect(uri).toMatch(new RegExp(`^\\S*segment-[0-9]+\\.m4s&s=${session}$`))
    const master = await (await server.get(`/hls/${server.track.manifest}/master.m3u8?s=${session}`)).text()
    expect(master).toContain(`aac-160.m3u8?s=${session}\n`)
    expect(master).not.toContain(`other.example/hls/${server.track.manifest}/aac-160.m3u8?s`)
    expect((await server.get(`/hls/${server.track.manifest}/master.m3u8?s=%0Aa`)).status).toBe(400)
  })

  test('leaves no session in the log', async () => {
    await server.get(`${segment(3)}?s=${session}`)
    const isLogged = (text: string) => text.includes(server.segment(3))
    await eventually(() => lines.join(''), isLogged)
    expect(lines.join('')).not.toContain(session)
  })
})

describe('a voucher', () => {
  const { escrow, tracks } = paymentDomains(testNetwork)
  const cases: [string, Parameters<TestListener['voucher']>, string][] = [
    ['for another contract', [100n, { domain: tracks }], 'StreamReserveExceeded'],
    ['for another chain', [100n, { domain: { ...escrow, chainId: 1 } }], 'StreamReserveExceeded'],
    ['for another node', [100n, { node: `0x${'99'.repeat(20)}` }], 'StreamReserveExceeded'],
    ['of another payer', [100n, { payer: testNode }], 'PayerDiffers'],
    ['beyond the reserve', [10_001n], 'StreamReserveExceeded'],
    ['with another base', [100n, { base: 7n }], 'StreamVoucherStale'],
    [
      'whose s is in the upper half',
      [100n, { signature: `0x${'1'.repeat(64)}${'f'.repeat(64)}1b` }],
      'ECDSAInvalidSignature',
    ],
    ['whose v is none', [100n, { signature: `0x${'1'.repeat(128)}1d` }], 'ECDSAInvalidSignature'],
    [
      'that is no point',
      [100n, { signature: `0x${'f'.repeat(64)}${'1'.repeat(64)}1b` }],
      'ECDSAInvalidSignature',
    ],
    ['for a track of its own', [100n, { track: `0x${'42'.repeat(32)}` as Hash }], 'TrackNotSold'],
    ['with lines that are too little', [100n, { cumulative: 101n }], 'StreamLinesSum'],
    ['that buys nothing', [99n], 'LineTooSmall'],
  ]
  test.each(cases)('%s is refused, by itself and with a block', async (_, voucher, fault) => {
    const response = await pay(...voucher)
    expect([response.status, await response.json()]).toMatchObject([409, { fault, report: { credit: '0' } }])
    const headers = { 'payment-signature': paymentSignature(session, await listener.voucher(...voucher)) }
    const block = await server.get(segment(3), { headers })
    expect([block.status, await block.json()]).toMatchObject([402, { fault }])
  })

  test('that was paid before changes nothing, in whatever order they come', async () => {
    const [small, large] = [await listener.voucher(100n), await listener.voucher(300n)]
    const send = (voucher: unknown) => post(server.origin, '/pay/vouchers', { session, voucher })
    await send(large)
    const reports = [await reportIn(await send(small)), await reportIn(await send(large))]
    expect(reports.map(({ credit }) => credit)).toEqual([300n, 300n])
    const other = testListener()
    const stolen = await (await post(server.origin, '/pay/sessions', await other.opening())).json()
    const { session: theirs } = stolen as { session: string }
    expect((await post(server.origin, '/pay/vouchers', { session: theirs, voucher: large })).status).toBe(409)
  })

  test.each([
    ['more lines than one has', { lines: `0x${'11'.repeat(64 * 65)}` }],
    ['half a line', { lines: `0x${'11'.repeat(32)}` }],
    ['an amount beyond what lines carry', { cumulative: 2n ** 96n }],
    ['a number in place of an amount', { base: 5 }],
    ['something more', { tip: '5' }],
    ['lines whose length cannot be compared', { lines: { length: { toString: '' } } }],
  ])('with %s is none', async (_, change) => {
    const voucher = { ...(await listener.voucher(100n)), ...change }
    expect((await post(server.origin, '/pay/vouchers', { session, voucher })).status).toBe(400)
    const headers = { 'payment-signature': paymentSignature(session, voucher as SentVoucher) }
    expect((await server.get(segment(3), { headers })).status).toBe(400)
  })

  test('that was frozen ends there, and what was paid stays', async () => {
    const { address } = listener
    await pay(250n)
    await server.get(`${segment(1)}?s=${session}`)
    expect(await server.till.freeze(address, address)).toMatchObject({ base: 0n, cumulative: 250n })
    expect(server.till.frozen()).toMatchObject([{ payer: address, voucher: { cumulative: 250n } }])
    expect(await (await pay(400n)).json()).toMatchObject({
      fault: 'StreamVoucherStale',
      report: { channel: { base: '250' } },
    })
    expect(await reportIn(await pay(50n, { base: 250n }))).toMatchObject({
      credit: 200n,
      channel: { frozen: { cumulative: 250n } },
    })
    expect((await server.get(`${segment(2)}?s=${session}`)).status).toBe(200)
    await server.till.settled(address, address, 250n)
    expect(server.till.frozen()).toEqual([])
  })
})
