import { cidOf } from '@hexachord/protocol/cids'
import { afterEach, describe, expect, test } from '@jest/globals'
import { putSample, sampleBytes } from '../ipfs/compliance/subject.ts'
import { BlockNotFound } from '../ipfs/index.ts'
import { createBlockReader } from './block-reader.ts'
import { bytesOf, type GatewayServer, startGateway } from './fixtures/gateway-server.ts'

const forEver = new Promise<never>(() => {})
const isBusy = { status: 503, headers: { 'Retry-After': expect.stringMatching(/^\d+$/) } }
/** More than a reader takes at one time: under way, and waiting for their turn. */
const flood = 2_000

/** Which of many reads were refused at once; the others wait. */
async function refusals(read: (place: number) => Promise<unknown>): Promise<unknown[]> {
  const refused: unknown[] = []
  for (let place = 0; place < flood; place += 1) read(place).catch((error: unknown) => refused.push(error))
  await new Promise((resolve) => setImmediate(resolve))
  return refused
}

describe('when too much is asked for at one time', () => {
  const options = { cacheBytes: 1_000, fetchTimeoutMs: 600_000 }

  test('a disk that does not keep up is asked for no more: 503, and when to come back', async () => {
    const ipfs = { get: () => forEver, size: () => forEver }
    const reader = createBlockReader({ ...options, ipfs, fetchMissing: undefined })
    const refused = await refusals((place) => reader.read(`block ${place}`, { elsewhere: false }))
    expect(refused.length).toBeGreaterThan(500)
    expect(refused.length).toBeLessThan(flood - 500)
    for (const error of refused) expect(error).toMatchObject(isBusy)
  })

  test('other holders are asked for no more, either, and what is here is still read', async () => {
    const here = sampleBytes('here')
    const ipfs = {
      get: async (cid: string) => {
        if (cid === 'here') return here
        throw new BlockNotFound(cid)
      },
      size: () => forEver,
    }
    const reader = createBlockReader({ ...options, ipfs, fetchMissing: () => forEver })
    const few = 400
    const refused: unknown[] = []
    for (let place = 0; place < few; place += 1) {
      reader.read(`block ${place}`, { elsewhere: true }).catch((error: unknown) => refused.push(error))
    }
    expect(await reader.read('here', { elsewhere: true })).toBe(here)
    expect(refused.length).toBeGreaterThan(50)
    for (const error of refused) expect(error).toMatchObject(isBusy)
  })

  test('the same block over and over is one read', async () => {
    const ipfs = { get: () => forEver, size: () => forEver }
    const reader = createBlockReader({ ...options, ipfs, fetchMissing: undefined })
    expect(await refusals(() => reader.read('one', { elsewhere: false }))).toEqual([])
  })
})

describe('HEAD', () => {
  let gateway: GatewayServer
  afterEach(() => gateway.close())

  test('reads no block that is here, in whatever form it is asked for', async () => {
    const reads: string[] = []
    gateway = await startGateway({
      wrap: (ipfs) => ({
        size: ipfs.size,
        get: (cid: string) => {
          reads.push(cid)
          return ipfs.get(cid)
        },
      }),
    })
    const leaf = await putSample(gateway.ipfs, 'leaf')
    for (const query of ['', '?format=raw', '?format=car', '?filename=a.m4s']) {
      expect((await gateway.head(`/ipfs/${leaf}${query}`)).status).toBe(200)
    }
    const absent = await cidOf(sampleBytes('absent'), 'raw')
    expect((await gateway.head(`/ipfs/${absent}`)).status).toBe(404)
    expect(reads.filter((cid) => cid === leaf)).toEqual([])
    expect((await bytesOf(await gateway.get(`/ipfs/${leaf}`))).length).toBe(2_000)
  })
})
