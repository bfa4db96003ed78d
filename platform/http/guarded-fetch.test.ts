import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  createGuardedFetch,
  FetchBlocked,
  FetchFailed,
  FetchTimeout,
  FetchTooLarge,
  type GuardedFetch,
  type GuardedFetchOptions,
  listen,
} from './index.ts'

describe('a guarded fetch', () => {
  const closing: { close: () => Promise<unknown> | unknown }[] = []

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

  /** A server that says exactly these bytes to whoever connects. */
  async function say(answer: string): Promise<string> {
    const server: Server = createTcpServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.once('data', () => socket.end(answer))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push({ close: () => new Promise((resolve) => server.close(resolve)) })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return `http://127.0.0.1:${address.port}`
  }

  function guarded(options: GuardedFetchOptions = {}): GuardedFetch {
    const fetch = createGuardedFetch({ allowPrivateAddresses: true, ...options })
    closing.push(fetch)
    return fetch
  }

  async function failureOf(work: Promise<unknown>): Promise<unknown> {
    return work.then(
      () => {
        throw new Error('it was fetched')
      },
      (error: unknown) => error,
    )
  }

  test('gives status, headers, body and URL like fetch', async () => {
    const origin = await serve((_, response) => {
      response.writeHead(201, { 'Content-Type': 'text/plain', 'Set-Cookie': ['a=1', 'b=2'] }).end('hello')
    })
    const response = await guarded()(`${origin}/a?b`)
    expect(response.status).toBe(201)
    expect(response.url).toBe(`${origin}/a?b`)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await response.text()).toBe('hello')
  })

  test.each([204, 304])('gives a %d without a body', async (status) => {
    const origin = await serve((_, response) => response.writeHead(status).end())
    const response = await guarded()(origin)
    expect([response.status, response.body]).toEqual([status, null])
  })

  test('sends method, headers and body, with its length', async () => {
    const seen = Promise.withResolvers<Record<string, unknown>>()
    const origin = await serve((request, response) => {
      let body = ''
      request.on('data', (data) => {
        body += String(data)
      })
      request.on('end', () => {
        seen.resolve({ method: request.method, body, length: request.headers['content-length'] })
        response.end()
      })
    })
    await guarded()(origin, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'Content-Type': 'application/json' },
    })
    expect(await seen.promise).toEqual({ method: 'POST', body: '{"a":1}', length: '7' })
  })

  test('streams a body as it arrives', async () => {
    const origin = await serve((_, response) => {
      response.write('first')
      setImmediate(() => response.end('second'))
    })
    const response = await guarded()(origin)
    const chunks: string[] = []
    for await (const chunk of response.body ?? []) chunks.push(Buffer.from(chunk).toString())
    expect(chunks.join('')).toBe('firstsecond')
  })

  test('keeps connections for requests that follow each other', async () => {
    const ports = new Set<number | undefined>()
    const origin = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      response.end('x')
    })
    const fetch = guarded()
    for (let index = 0; index < 10; index += 1) await (await fetch(origin)).text()
    expect(ports.size).toBeLessThanOrEqual(2)
  })

  test('has its sockets back from short answers that nobody reads', async () => {
    const origin = await serve((_, response) => response.writeHead(500).end('some words about the failure'))
    const fetch = guarded({ socketsPerOrigin: 2 })
    for (let index = 0; index < 10; index += 1) expect((await fetch(origin)).status).toBe(500)
  })

  test('keeps to its number of sockets', async () => {
    let open = 0
    let most = 0
    const origin = await serve((_, response) => {
      open += 1
      most = Math.max(most, open)
      setImmediate(() => {
        open -= 1
        response.end('x')
      })
    })
    const fetch = guarded({ socketsPerOrigin: 3 })
    await Promise.all(Array.from({ length: 20 }, async () => (await fetch(origin)).text()))
    expect(most).toBeLessThanOrEqual(3)
  })

  describe('stops an answer that is too large', () => {
    test('at its head, when that tells the length', async () => {
      let sent = false
      const origin = await serve((_, response) => {
        response.writeHead(200, { 'Content-Length': 1_000 })
        response.flushHeaders()
        sent = true
      })
      expect(await failureOf(guarded({ maxBytes: 999 })(origin))).toBeInstanceOf(FetchTooLarge)
      expect(sent).toBe(true)
    })

    test('at the byte that is one too many, when it does not', async () => {
      const origin = await serve((_, response) => {
        response.write('x'.repeat(1_000))
        setImmediate(() => response.end('y'))
      })
      const response = await guarded({ maxBytes: 1_000 })(origin)
      expect(await failureOf(response.text())).toBeInstanceOf(FetchTooLarge)
    })

    test('but takes one of exactly the limit, and the limit of the call before its own', async () => {
      const origin = await serve((_, response) => response.end('x'.repeat(1_000)))
      expect(await (await guarded({ maxBytes: 10 })(origin, { maxBytes: 1_000 })).text()).toHaveLength(1_000)
    })

    test('and ends the connection of an endless one', async () => {
      const ended = Promise.withResolvers<void>()
      const origin = await serve((_, response) => {
        const more = () => {
          if (response.destroyed) ended.resolve()
          else if (response.write('x'.repeat(64 * 1024))) setImmediate(more)
          else response.once('drain', more)
        }
        response.once('close', ended.resolve)
        more()
      })
      const response = await guarded({ maxBytes: 100_000 })(origin)
      expect(await failureOf(response.text())).toBeInstanceOf(FetchTooLarge)
      await ended.promise
    })
  })

  test.each([
    ['ends before its announced length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'],
    ['ends within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort'],
  ])('fails for a body that %s', async (_, answer) => {
    const response = await guarded()(await say(answer))
    const failure = await failureOf(response.text())
    expect(failure).toBeInstanceOf(FetchFailed)
    expect(failure).toMatchObject({ name: 'FetchFailed' })
  })

  test.each([
    ['is no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['has a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx'],
    ['says nothing', ''],
  ])('fails for an answer that %s', async (_, answer) => {
    expect(await failureOf(guarded()(await say(answer)))).toMatchObject({ name: 'FetchFailed' })
  })

  describe('stops in time', () => {
    test('when no answer comes', async () => {
      const origin = await serve(() => {})
      expect(await failureOf(guarded({ timeoutMs: 50 })(origin))).toBeInstanceOf(FetchTimeout)
    })

    test('when the body drips for ever', async () => {
      const origin = await serve((_, response) => {
        const drip = setInterval(() => response.write('x'), 5)
        response.once('close', () => clearInterval(drip))
      })
      const response = await guarded()(origin, { timeoutMs: 100 })
      expect(await failureOf(response.text())).toBeInstanceOf(FetchTimeout)
    })

    test('when nobody reads the body, and gives the socket back', async () => {
      const gone = Promise.withResolvers<void>()
      const origin = await serve((_, response) => {
        response.write('x')
        response.once('close', gone.resolve)
      })
      await guarded({ timeoutMs: 50 })(origin)
      await gone.promise
    })

    test('when its caller says so, with the caller’s reason', async () => {
      const origin = await serve(() => {})
      const controller = new AbortController()
      const reason = new Error('the listener left')
      const failure = failureOf(guarded()(origin, { signal: controller.signal }))
      controller.abort(reason)
      expect(await failure).toBe(reason)
    })

    test('when its caller has said so before', async () => {
      const reason = new Error('too late')
      expect(await failureOf(guarded()('http://127.0.0.1:9', { signal: AbortSignal.abort(reason) }))).toBe(
        reason,
      )
    })
  })

  describe('with redirects', () => {
    function redirecting(): Promise<string> {
      return serve((request, response) => {
        const left = Number(request.url?.slice(1))
        if (left > 0) response.writeHead(302, { Location: `/${left - 1}` }).end('elsewhere')
        else response.end(request.headers.authorization ?? 'arrived')
      })
    }

    test('follows none by default', async () => {
      expect(await failureOf(guarded()(`${await redirecting()}/1`))).toBeInstanceOf(FetchBlocked)
    })

    test('gives the redirect itself to a caller that wants it', async () => {
      const response = await guarded()(`${await redirecting()}/1`, { redirect: 'manual' })
      expect([response.status, response.headers.get('location')]).toEqual([302, '/0'])
    })

    test('follows as many as allowed and no more', async () => {
      const origin = await redirecting()
      const fetch = guarded({ maxRedirects: 2 })
      const response = await fetch(`${origin}/2`)
      expect([await response.text(), response.url]).toEqual(['arrived', `${origin}/0`])
      expect(await failureOf(fetch(`${origin}/3`))).toBeInstanceOf(FetchBlocked)
    })

    test('does not carry credentials to another origin', async () => {
      const target = await redirecting()
      const origin = await serve((_, response) => response.writeHead(307, { Location: `${target}/0` }).end())
      const response = await guarded({ maxRedirects: 1 })(origin, { headers: { Authorization: 'secret' } })
      expect(await response.text()).toBe('arrived')
    })

    test.each(['ftp://127.0.0.1/', 'file:///etc/passwd', 'data:text/plain,x'])(
      'does not go to %s',
      async (location) => {
        const origin = await serve((_, response) => response.writeHead(302, { Location: location }).end())
        expect(await failureOf(guarded({ maxRedirects: 5 })(origin))).toBeInstanceOf(FetchBlocked)
      },
    )

    test('does not repeat a POST elsewhere', async () => {
      const origin = await redirecting()
      expect(
        await failureOf(guarded({ maxRedirects: 5 })(`${origin}/1`, { method: 'POST', body: 'x' })),
      ).toBeInstanceOf(FetchBlocked)
    })
  })

  describe('without leave for private addresses', () => {
    test('reaches none, however it is written, and sends nothing', async () => {
      let asked = 0
      const origin = await serve((_, response) => {
        asked += 1
        response.end()
      })
      const { port } = new URL(origin)
      const fetch = guarded({ allowPrivateAddresses: false })
      for (const host of [
        '127.0.0.1',
        'localhost',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '0x7f.1',
        '2130706433',
        '0.0.0.0',
        '[::]',
      ]) {
        expect(await failureOf(fetch(`http://${host}:${port}/`))).toBeInstanceOf(FetchBlocked)
      }
      expect(asked).toBe(0)
    })

    test('does not use a connection to one that it could have had otherwise', async () => {
      const origin = await serve((_, response) => response.end('x'))
      await (await guarded()(origin)).text()
      expect(await failureOf(guarded({ allowPrivateAddresses: false })(origin))).toBeInstanceOf(FetchBlocked)
    })
  })

  test('tells a host that is not there from one that is blocked', async () => {
    const failure = await failureOf(guarded({ allowPrivateAddresses: false })('http://nowhere.invalid/'))
    expect(failure).toMatchObject({ name: 'FetchFailed' })
  })

  test('tells a refused connection', async () => {
    const origin = await serve(() => {})
    await closing.pop()?.close()
    expect(await failureOf(guarded()(origin))).toMatchObject({
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('closes while an answer is on its way', async () => {
    const origin = await serve((_, response) => void response.write('x'))
    const fetch = guarded()
    const response = await fetch(origin)
    const text = failureOf(response.text())
    await fetch.close()
    expect(await text).toBeInstanceOf(FetchFailed)
  })

  test('leaves a server that hangs at connecting', async () => {
    const origin = await serve(() => {})
    const { port } = new URL(origin)
    const socket = connect(Number(port), '127.0.0.1')
    closing.push({ close: () => socket.destroy() })
    expect(await failureOf(guarded()(`https://127.0.0.1:${port}/`, { timeoutMs: 200 }))).toBeInstanceOf(
      FetchFailed,
    )
  })
})
