import { createApp, finishApp, type Listening, listen } from '@hexachord/platform/http'
import { createLogger, createMetrics } from '@hexachord/platform/process'
import { problemSchema } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { rateLimit } from './rate-limit.ts'

let nowMs = 1_000_000
let server: Listening
beforeAll(async () => {
  const logger = createLogger({ service: 'test', level: 'silent' })
  const app = createApp({ logger, metrics: createMetrics('test'), service: 'test' })
  app.set('trust proxy', ['loopback', 'uniquelocal'])
  app.use(rateLimit({ perSecond: 2, now: () => nowMs }))
  app.get('/', (_, response) => void response.end('x'))
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
})
afterAll(() => server.close())

/** @param address for whom a proxy says that it asks */
const ask = (address?: string) =>
  fetch(server.origin, { headers: address === undefined ? {} : { 'x-forwarded-for': address } })

async function statuses(count: number, address?: string): Promise<number[]> {
  const found: number[] = []
  for (let asked = 0; asked < count; asked += 1) found.push((await ask(address)).status)
  return [...new Set(found)]
}

describe('a client that asks too often', () => {
  test('is refused with a time to go on, and goes on then', async () => {
    expect(await statuses(20, '8.8.8.8')).toEqual([200])
    const refused = await ask('8.8.8.8')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(problemSchema.parse(await refused.json()).type).toBe('urn:hexachord:problem:too-many-requests')
    nowMs += 1_000
    expect(await statuses(2, '8.8.8.8')).toEqual([200])
    expect(await statuses(2, '8.8.8.8')).toEqual([429])
  })

  test('harms nobody else, but the household behind its own prefix', async () => {
    await statuses(20, '2600:1::1')
    expect(await statuses(1, '2600:1::2')).toEqual([429])
    expect(await statuses(1, '2600:1:0:1::1')).toEqual([200])
  })

  test('is no program of the operator', async () => {
    for (const address of [undefined, '10.0.0.7', 'fd00::7']) {
      expect(await statuses(25, address)).toEqual([200])
    }
  })

  test('is also whoever has no address', async () => {
    await statuses(20, 'unknown')
    expect(await statuses(1, 'unknown')).toEqual([429])
  })
})
