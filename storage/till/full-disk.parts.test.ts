import { createLogger, createMetrics } from '@hexachord/platform/process'
import { canMountDisks, mountSmallDisk, type SmallDisk } from '@hexachord/platform/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { eventually } from '../ipfs/fixtures/eventually.ts'
import { makeTestTrack } from '../tracks/fixtures/index.ts'
import {
  paymentSignature,
  post,
  reportIn,
  startTill,
  type TillServer,
  testListener,
} from './fixtures/index.ts'

describe(`a till whose disk is full${canMountDisks ? '' : ' (NOT RUN: only root can mount one)'}`, () => {
  const asRoot = canMountDisks ? test : test.skip
  let disk: SmallDisk
  let server: TillServer
  beforeAll(async () => {
    if (!canMountDisks) return
    disk = await mountSmallDisk(8 * 1024 * 1024)
    server = await startTill({
      ...{ directory: disk.path, logger: createLogger({ service: 'test', level: 'silent' }) },
      ...{ metrics: createMetrics('test'), reserved: 10_000n },
      track: await makeTestTrack({ segments: 32, segmentBytes: 100 }),
    })
  })
  afterAll(async () => {
    await server?.stop()
    await disk?.remove()
  })

  asRoot('takes no payment, says so, and goes on with all that it had when there is room', async () => {
    const listener = testListener()
    const { session } = await reportIn(await post(server.origin, '/pay/sessions', await listener.opening()))
    const buy = async (unit: number) => {
      const voucher = await listener.voucher(BigInt(unit + 1) * 100n)
      const headers = { 'payment-signature': paymentSignature(session, voucher) }
      return server.get(`/ipfs/${server.segment(unit)}`, { headers })
    }
    expect((await buy(0)).status).toBe(200)
    await disk.fill()
    // The block of the file that is being written may have had room for some.
    let bought = 1
    let answer = await buy(bought)
    for (; answer.status === 200 && bought < 30; answer = await buy(bought)) bought += 1
    expect([answer.status, await answer.json()]).toMatchObject([
      503,
      { type: 'urn:hexachord:problem:till-closed' },
    ])
    expect(answer.headers.get('retry-after')).toBe('5')
    const free = await server.get(`/ipfs/${server.track.manifest}`)
    expect(free.status).toBe(200)
    await disk.empty()
    await eventually(
      async () => (await buy(bought)).status,
      (status) => status === 200,
    )
    const report = await reportIn(await server.get(`/pay/sessions/${session}`))
    expect(report.paidUnits).toEqual(Array.from({ length: bought + 1 }, (_, unit) => unit))
    expect(report).toMatchObject({ credit: 0n, channel: { last: { cumulative: BigInt(bought + 1) * 100n } } })
  })
})
