import type { RequestListener } from 'node:http'
import { listen } from '@hexachord/platform/http'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { testOnlyTill } from './chain/fixtures/test-only-till.ts'
import {
  paymentSignature,
  post,
  reportIn,
  startTill,
  type TillServer,
  testListener,
  testNode,
  testPrice,
} from './fixtures/index.ts'

const minuteMs = 60_000

let closing: (() => Promise<unknown>)[]
let time: number
beforeEach(() => {
  closing = []
  time = 1_800_000_000_000
})
afterEach(async () => {
  for (const close of closing.toReversed()) await close()
})

/** One address, behind which those take turns whose origins it is given. */
async function startBalancer() {
  let [origins, turn]: [readonly string[], number] = [[], 0]
  const forward: RequestListener = async ({ url = '' }, response) => {
    turn += 1
    const answer = await fetch(origins[turn % origins.length] + url)
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
  }
  const server = await listen(forward, { host: '127.0.0.1', port: 0 })
  closing.push(server.close)
  const share = (...tills: { origin: string }[]) => {
    origins = tills.map(({ origin }) => origin)
  }
  return { publicUrl: server.origin, share }
}

/** A till, and what says whether it is the only one. */
async function start(
  name: string,
  publicUrl: string,
  change: { registeredAt?: () => string; otherAtMs?: number } = {},
) {
  const only = testOnlyTill({ name, publicUrl, operator: testNode, now: () => time, ...change })
  closing.push(only.close)
  const server: TillServer = await startTill({ only, reserved: 10_000n })
  closing.push(server.close)
  const listener = testListener()
  const open = async () => post(server.origin, '/pay/sessions', await listener.opening())
  return { ...server, only, listener, open }
}

async function lookFor(minutes: number, ...tills: { only: { look(): Promise<void> } }[]): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    time += minuteMs
    for (const { only } of tills) await only.look()
  }
}

describe('two tills of one operator', () => {
  test('are both shut behind one address, and stay so however often one of them sees itself', async () => {
    const { publicUrl, share } = await startBalancer()
    const [one, two] = [await start('one', publicUrl), await start('two', publicUrl)]
    share(one, two)
    await one.only.look()
    await two.only.look()
    expect([(await one.open()).status, (await two.open()).status]).toEqual([503, 503])
    share(one)
    await lookFor(29, one, two)
    const refused = await one.open()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '60'])
    expect(await refused.json()).toMatchObject({ type: 'urn:hexachord:problem:till-closed' })
    // The other has come by once more.
    share(two)
    await lookFor(1, one)
    share(one)
    await lookFor(29, one, two)
    expect((await one.open()).status).toBe(503)
    await lookFor(1, one, two)
    expect([(await one.open()).status, (await two.open()).status]).toEqual([201, 503])
  })

  test('have not one name because one was begun with a copy of the other’s directory', async () => {
    const { publicUrl, share } = await startBalancer()
    const [one, copy] = [await start('one', publicUrl), await start('one', publicUrl)]
    share(one)
    await one.only.look()
    await copy.only.look()
    expect([one.only.trouble(), copy.only.trouble()]).toEqual([
      undefined,
      expect.stringMatching(/another till/),
    ])
  })
})

describe('a till', () => {
  test('lets whoever pays wait until it knows whether another is there', async () => {
    const { publicUrl, share } = await startBalancer()
    const till = await start('one', publicUrl)
    share(till)
    const paying = till.open()
    await till.only.look()
    expect((await paying).status).toBe(201)
  })

  test('takes no voucher that comes with a request while it is shut, and serves what was paid before', async () => {
    const { publicUrl, share } = await startBalancer()
    const till = await start('one', publicUrl)
    const other = await start('two', publicUrl)
    share(till)
    await till.only.look()
    const { session } = await reportIn(await till.open())
    const voucher = await till.listener.voucher(2n * testPrice)
    expect((await post(till.origin, '/pay/vouchers', { session, voucher })).status).toBe(200)
    share(other)
    await till.only.look()
    const inline = (paid: typeof voucher) =>
      till.get(`/ipfs/${till.segment(5)}`, {
        headers: { 'payment-signature': paymentSignature(session, paid) },
      })
    expect((await inline(await till.listener.voucher(3n * testPrice))).status).toBe(503)
    expect((await post(till.origin, '/pay/vouchers', { session, voucher })).status).toBe(503)
    expect(till.till.book.channel(till.listener.address, till.listener.address)?.last?.cumulative).toBe(200n)
    expect((await till.get(`/ipfs/${till.segment(4)}?s=${session}`)).status).toBe(200)
    // One that is known already changes nothing.
    expect((await inline(voucher)).status).toBe(200)
    expect((await till.get(`/ipfs/${till.segment(6)}?s=${session}`)).status).toBe(402)
  })

  test('that has seen another is shut after a restart, too, and open when that was half an hour ago', async () => {
    const { publicUrl, share } = await startBalancer()
    const soon = await start('one', publicUrl, { otherAtMs: time - minuteMs })
    share(soon)
    await soon.only.look()
    expect((await soon.open()).status).toBe(503)
    await lookFor(29, soon)
    expect((await soon.open()).status).toBe(201)
    const later = await start('one', publicUrl, { otherAtMs: time - 31 * minuteMs })
    share(later)
    await later.only.look()
    expect((await later.open()).status).toBe(201)
  })

  test('takes no money where its operator is not registered', async () => {
    const { publicUrl, share } = await startBalancer()
    let endpoint = 'http://elsewhere.example'
    const till = await start('one', publicUrl, { registeredAt: () => endpoint })
    share(till)
    await till.only.look()
    expect((await till.open()).status).toBe(503)
    endpoint = publicUrl
    expect((await till.open()).status).toBe(201)
  })

  test('that cannot reach itself takes money: from inside of many networks nobody can', async () => {
    const till = await start('one', 'http://127.0.0.1:9')
    await till.only.look()
    expect((await till.open()).status).toBe(201)
  })
})
