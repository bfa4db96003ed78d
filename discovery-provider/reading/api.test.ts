import { createGuardedFetch, type Listening, listen } from '@hexachord/platform/http'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { unreadApi } from '../fixtures/unread-api.ts'

const fetches = createGuardedFetch()
let server: Listening
beforeAll(async () => {
  server = await listen(unreadApi(fetches, { requestsPerSecond: 1 }), { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await fetches.close()
})

/** For a client that a proxy of ours speaks of. */
const ask = (path: string, address: string) =>
  fetch(server.origin + path, {
    headers: { 'x-forwarded-for': address },
    signal: AbortSignal.timeout(5_000),
  })

describe('the API as it is served', () => {
  test('refuses a client that asks too often, whatever it asks for, and nobody else', async () => {
    for (let asked = 0; asked < 10; asked++) expect((await ask('/openapi.json', '8.8.8.8')).status).toBe(200)
    const everything = ['/openapi.json', '/docs', '/status', '/v1/tracks', '/v1/events', '/pioneer']
    for (const path of [...everything, '/rest/ping', '/1/validate-token', `/users/0x${'a1'.repeat(20)}`]) {
      const { status, headers } = await ask(path, '8.8.8.8')
      expect([path, status, headers.get('retry-after')]).toEqual([path, 429, '1'])
    }
    expect((await ask('/openapi.json', '9.9.9.9')).status).toBe(200)
  })
})
