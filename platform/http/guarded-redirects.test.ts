import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { createGuardedFetch, FetchBlocked, type GuardedFetch, isPublicAddress, listen } from './index.ts'

/** Stands for a server on the internet: all of 127/8 leads to this machine, and only this one counts as public here. */
const publicHost = '127.0.0.2'

describe('a public server that redirects inwards', () => {
  const closing: { close: () => Promise<unknown> | unknown }[] = []

  afterEach(async () => {
    for (const thing of closing.splice(0).reverse()) await thing.close()
  })

  /** Answers `/PLACE` with a redirect to the place of this name, and everything else with a word. */
  async function servePublic(places: Record<string, string>): Promise<string> {
    const server = await listen(
      (request, response) => {
        const location = places[request.url?.slice(1) ?? '']
        if (location === undefined) response.end('arrived')
        else response.writeHead(302, { Location: location }).end()
      },
      { host: publicHost, port: 0, graceMs: 0 },
    )
    closing.push(server)
    return server.origin
  }

  /** Something on this machine that nobody outside may reach, such as a database; it listens on every address. */
  async function serveSecretly(): Promise<{ port: number; connections: () => number }> {
    let connections = 0
    const server = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, resolve))
    closing.push({ close: () => new Promise((resolve) => server.close(resolve)) })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return { port: address.port, connections: () => connections }
  }

  function guarded(): GuardedFetch {
    const fetch = createGuardedFetch({
      allowPrivateAddresses: false,
      isPublic: (address) => address === publicHost || isPublicAddress(address),
      maxRedirects: 5,
    })
    closing.push(fetch)
    return fetch
  }

  async function failureOf(work: Promise<Response>): Promise<unknown> {
    return work.then(
      (response) => {
        throw new Error(`it answered ${response.status}`)
      },
      (error: unknown) => error,
    )
  }

  test('is followed while it stays outside', async () => {
    const origin = await servePublic({ a: '/b', b: '/c' })
    const response = await guarded()(`${origin}/a`)
    expect([await response.text(), response.url]).toEqual(['arrived', `${origin}/c`])
  })

  test.each([
    ['127.0.0.1', /127\.0\.0\.1 is not a public address/],
    ['127.0.0.3', /127\.0\.0\.3 is not a public address/],
    ['2130706433', /127\.0\.0\.1 is not a public address/],
    ['[::1]', /::1 is not a public address/],
    ['[::ffff:127.0.0.1]', /is not a public address/],
    ['0.0.0.0', /is not a public address/],
    ['localhost', /localhost resolves to no public address/],
  ])('is not followed to http://%s, which never sees a connection', async (host, reason) => {
    const secret = await serveSecretly()
    const origin = await servePublic({ once: `http://${host}:${secret.port}/`, twice: '/once' })
    const fetch = guarded()
    for (const way of ['once', 'twice']) {
      const failure = await failureOf(fetch(`${origin}/${way}`))
      expect(failure).toBeInstanceOf(FetchBlocked)
      expect(failure).toMatchObject({ message: expect.stringMatching(reason) })
    }
    expect(secret.connections()).toBe(0)
    // It is there, for those who may.
    const local = createGuardedFetch({ allowPrivateAddresses: true })
    closing.push(local)
    await failureOf(local(`http://127.0.0.1:${secret.port}/`))
    expect(secret.connections()).toBe(1)
  })

  test('is not followed when it leaves the scheme of its host out', async () => {
    const secret = await serveSecretly()
    const origin = await servePublic({ inwards: `//127.0.0.1:${secret.port}/` })
    expect(await failureOf(guarded()(`${origin}/inwards`))).toBeInstanceOf(FetchBlocked)
    expect(secret.connections()).toBe(0)
  })
})
