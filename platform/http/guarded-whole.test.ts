import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  createGuardedFetch,
  FetchBlocked,
  FetchFailed,
  FetchTimeout,
  FetchTooLarge,
  type GuardedFetchOptions,
  listen,
  type WholeAnswer,
  type WholeInit,
} from './index.ts'

describe('an answer taken in whole', () => {
  const closing: { close: () => Promise<unknown> }[] = []
  afterEach(async () => {
    for (const thing of closing.splice(0).reverse()) await thing.close()
  })

  async function serve(
    handler: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> {
    const server = await listen(handler, { host: '127.0.0.1', port: 0, graceMs: 0 })
    closing.push(server)
    return server.origin
  }

  function whole(
    url: string,
    init: Partial<WholeInit> = {},
    options: GuardedFetchOptions = {},
  ): Promise<WholeAnswer> {
    const fetch = createGuardedFetch({ allowPrivateAddresses: true, ...options })
    closing.push(fetch)
    return fetch.whole(url, { headers: {}, signal: new AbortController().signal, ...init })
  }

  test('has status, headers and all bytes, of whatever length it announces', async () => {
    const origin = await serve((request, response) => {
      response.setHeader('X-Asked', String(request.headers.accept))
      if (request.url === '/long') response.setHeader('Content-Length', 300_000)
      response.write('x'.repeat(100_000))
      setImmediate(() => response.end('y'.repeat(200_000)))
    })
    for (const path of ['/long', '/chunked']) {
      const { status, headers, bytes } = await whole(origin + path, { headers: { accept: 'music' } })
      expect([status, headers['x-asked'], bytes.length]).toEqual([200, 'music', 300_000])
      expect(Buffer.from(bytes).toString()).toBe('x'.repeat(100_000) + 'y'.repeat(200_000))
    }
  })

  test('may have no bytes', async () => {
    const origin = await serve((_, response) => response.end())
    expect((await whole(origin)).bytes).toHaveLength(0)
  })

  test('is refused when it announces, or sends, more than is allowed', async () => {
    const origin = await serve((request, response) => {
      if (request.url === '/announced') response.writeHead(200, { 'Content-Length': 1_001 }).flushHeaders()
      else response.write('x'.repeat(1_000), () => response.end('y'))
    })
    for (const path of ['/announced', '/sent']) {
      await expect(whole(origin + path, { maxBytes: 1_000 })).rejects.toBeInstanceOf(FetchTooLarge)
    }
    expect((await whole(`${origin}/sent`, { maxBytes: 1_001 })).bytes).toHaveLength(1_001)
  })

  test('is its status alone when it is no success, however long, and leaves its socket if it is short', async () => {
    const ports = new Set<number | undefined>()
    const origin = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      if (request.url === '/long') response.writeHead(500).write('x'.repeat(100_000))
      else response.writeHead(404, { 'Retry-After': '7', 'Content-Length': 4 }).end('gone')
    })
    const fetch = createGuardedFetch({ allowPrivateAddresses: true })
    closing.push(fetch)
    const init = { headers: {}, signal: new AbortController().signal, maxBytes: 10 }
    for (let times = 0; times < 5; times++) {
      const { status, headers, bytes } = await fetch.whole(origin, init)
      expect([status, headers['retry-after'], bytes.length]).toEqual([404, '7', 0])
    }
    expect(ports.size).toBeLessThanOrEqual(2)
    expect(await fetch.whole(`${origin}/long`, init)).toMatchObject({ status: 500, bytes: new Uint8Array() })
  })

  test('fails when it ends before its announced length', async () => {
    const origin = await serve((_, response) => {
      response.writeHead(200, { 'Content-Length': 100 })
      response.write('short', () => response.destroy())
    })
    await expect(whole(origin)).rejects.toMatchObject({ name: 'FetchFailed' })
    await expect(whole('http://127.0.0.1:1')).rejects.toBeInstanceOf(FetchFailed)
  })

  test('is waited for no longer than allowed, and no longer than its caller wants it', async () => {
    const origin = await serve((_, response) => {
      const drip = setInterval(() => response.write('x'), 5)
      response.once('close', () => clearInterval(drip))
    })
    await expect(whole(origin, { timeoutMs: 100 })).rejects.toBeInstanceOf(FetchTimeout)
    const caller = new AbortController()
    const asked = whole(origin, { signal: caller.signal })
    const reason = new Error('the listener left')
    setImmediate(() => caller.abort(reason))
    await expect(asked).rejects.toBe(reason)
  })

  test('comes from public addresses alone, and from nowhere else when it is sent there', async () => {
    await expect(whole('http://127.0.0.1:9', {}, { allowPrivateAddresses: false })).rejects.toBeInstanceOf(
      FetchBlocked,
    )
    await expect(whole('file:///etc/hostname')).rejects.toBeInstanceOf(FetchBlocked)
    const origin = await serve((_, response) => response.writeHead(302, { Location: '/b' }).end())
    await expect(whole(origin)).rejects.toBeInstanceOf(FetchBlocked)
  })

  test('has nothing of it for another origin that was meant for the first', async () => {
    const other = await serve((request, response) => response.end(String(request.headers.authorization)))
    const origin = await serve((_, response) => response.writeHead(302, { Location: other }).end())
    const init = { headers: { Authorization: 'secret' } }
    const { bytes } = await whole(origin, init, { maxRedirects: 1 })
    expect(Buffer.from(bytes).toString()).toBe('undefined')
  })
})
