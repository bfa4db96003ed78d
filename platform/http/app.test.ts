import { connect } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { Express } from 'express'
import { z } from 'zod'
import { createLogger, createMetrics } from '../process/index.ts'
import { eventually } from '../testing/eventually.ts'
import {
  createApp,
  finishApp,
  healthRoutes,
  type Listening,
  listen,
  Problem,
  parse,
  requestContext,
} from './index.ts'

type Line = Record<string, unknown>

describe('an app', () => {
  const servers: Listening[] = []

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close()
  })

  async function serve(addRoutes: (app: Express) => void) {
    const lines: Line[] = []
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
    const logger = createLogger({ service: 'test', level: 'debug', destination })
    const metrics = createMetrics('test')
    const app = createApp({ logger, metrics, service: 'test' })
    addRoutes(app)
    const server = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
    servers.push(server)
    return { ...server, lines, metrics }
  }

  async function problemOfResponse(response: Response) {
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    const problem: unknown = await response.json()
    expect(problem).toMatchObject({
      status: response.status,
      type: expect.stringMatching(/^urn:hexachord:problem:/),
    })
    return problem
  }

  describe('answers problems', () => {
    test('for a route that is not there', async () => {
      const { origin } = await serve(() => {})
      const response = await fetch(`${origin}/nowhere?secret=1`)
      expect(await problemOfResponse(response)).toMatchObject({
        status: 404,
        detail: 'GET /nowhere is not served here',
      })
    })

    test('thrown by a handler, with their headers and the request as instance', async () => {
      const { origin } = await serve((app) =>
        app.get('/busy', async () => {
          throw new Problem({ status: 503, detail: 'come back', headers: { 'Retry-After': '5' } })
        }),
      )
      const response = await fetch(`${origin}/busy`, { headers: { 'X-Request-Id': 'request-7' } })
      expect(response.headers.get('retry-after')).toBe('5')
      expect(await problemOfResponse(response)).toMatchObject({
        status: 503,
        instance: 'urn:request:request-7',
      })
    })

    test('for input that a schema refuses, field by field', async () => {
      const { origin } = await serve((app) =>
        app.post('/notes', (request, response) => {
          response.json(parse(z.object({ body: z.string() }), request.body))
        }),
      )
      const response = await post(`${origin}/notes`, '{"body":7}')
      expect(await problemOfResponse(response)).toMatchObject({ status: 400, errors: [{ path: 'body' }] })
    })

    test.each([
      ['a body that is no JSON', '{"body":', 400, /JSON/],
      ['a body past 64 kB', JSON.stringify({ body: 'x'.repeat(70_000) }), 413, /more than the 65536 bytes/],
    ])('for %s', async (_, body, status, says) => {
      const { origin } = await serve((app) => app.post('/notes', (_, response) => void response.end()))
      const problem = await problemOfResponse(await post(`${origin}/notes`, body))
      expect(problem).toMatchObject({ status, detail: expect.stringMatching(says) })
    })

    test('for a fault of ours, without a word of its cause, which goes to the log under the same id', async () => {
      const { origin, lines } = await serve((app) =>
        app.get('/broken', () => {
          throw new Error('password of the database is hunter2')
        }),
      )
      const response = await fetch(`${origin}/broken`)
      const id = response.headers.get('x-request-id')
      const problem = await problemOfResponse(response)
      expect(problem).toMatchObject({ status: 500, detail: expect.stringContaining(String(id)) })
      expect(JSON.stringify(problem)).not.toContain('hunter2')
      expect(lines).toContainEqual(
        expect.objectContaining({ level: 'error', requestId: id, msg: 'request handler failed' }),
      )
    })

    test('by a broken connection when the answer had begun', async () => {
      const { origin } = await serve((app) =>
        app.get('/half', (_, response) => {
          response.write('half')
          throw new Error('and no more')
        }),
      )
      await expect(fetch(`${origin}/half`).then((response) => response.text())).rejects.toThrow()
    })

    test('for a malformed path', async () => {
      const { origin } = await serve((app) => app.get('/files/:name', (_, response) => void response.end()))
      expect(await problemOfResponse(await fetch(`${origin}/files/%ff`))).toMatchObject({ status: 400 })
    })
  })

  test('logs each request once, without its query', async () => {
    const { origin, lines } = await serve((app) =>
      app.get('/tracks/:id', (_, response) => void response.json({})),
    )
    await fetch(`${origin}/tracks/7?token=hunter2`, { headers: { Authorization: 'Hexachord hunter2' } })
    await eventually(() => expect(lines).toHaveLength(1))
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        method: 'GET',
        path: '/tracks/7',
        status: 200,
        msg: 'request',
      }),
    ])
    expect(JSON.stringify(lines)).not.toContain('hunter2')
  })

  test('counts by route, not by path', async () => {
    const { origin, metrics, lines } = await serve((app) =>
      app.get('/tracks/:id', (_, response) => void response.json({})),
    )
    await fetch(`${origin}/tracks/7`)
    await fetch(`${origin}/tracks/8`)
    await fetch(`${origin}/made-up`)
    await eventually(() => expect(lines).toHaveLength(3))
    const text = await metrics.registry.metrics()
    expect(text).toContain(
      'http_request_seconds_count{service="test",route="/tracks/:id",method="GET",status="200"} 2',
    )
    expect(text).toContain('route="unmatched",method="GET",status="404"} 1')
    expect(text).not.toContain('/tracks/7')
  })

  test('tells a client that went away from one that was answered', async () => {
    const { origin, lines } = await serve((app) => app.get('/slow', () => {}))
    await expect(fetch(`${origin}/slow`, { signal: AbortSignal.timeout(50) })).rejects.toThrow()
    await eventually(() => expect(lines).toHaveLength(1))
    expect(lines[0]).toMatchObject({ path: '/slow', status: 499 })
  })

  test('keeps a harmless request id and replaces any other', async () => {
    const { origin } = await serve((app) =>
      app.get('/id', (request, response) => void response.json({ id: requestContext(request).id })),
    )
    const idFor = async (given: string) => {
      const response = await fetch(`${origin}/id`, { headers: { 'X-Request-Id': given } })
      expect(await response.json()).toEqual({ id: response.headers.get('x-request-id') })
      return response.headers.get('x-request-id')
    }
    expect(await idFor('abc-123_DEF')).toBe('abc-123_DEF')
    expect(await idFor('bad id"}')).toMatch(/^[0-9a-f-]{36}$/)
    expect(await idFor('x'.repeat(100))).toMatch(/^[0-9a-f-]{36}$/)
  })

  describe('lets scripts of every origin in', () => {
    test('by answering preflights for every method and header asked for', async () => {
      const { origin } = await serve((app) => app.patch('/uploads/1', (_, response) => void response.end()))
      const response = await fetch(`${origin}/uploads/1`, {
        method: 'OPTIONS',
        headers: {
          Origin: 'https://app.example',
          'Access-Control-Request-Method': 'PATCH',
          'Access-Control-Request-Headers': 'authorization,tus-resumable,upload-offset',
        },
      })
      expect(response.status).toBe(204)
      expect(response.headers.get('access-control-allow-origin')).toBe('*')
      expect(response.headers.get('access-control-allow-methods')).toContain('PATCH')
      expect(response.headers.get('access-control-allow-headers')).toBe(
        'authorization,tus-resumable,upload-offset',
      )
    })

    test('and by exposing what they need to read', async () => {
      const { origin } = await serve((app) => app.get('/file', (_, response) => void response.end('x')))
      const exposed = (await fetch(`${origin}/file`)).headers.get('access-control-expose-headers') ?? ''
      for (const name of ['Upload-Offset', 'Content-Range', 'ETag', 'Location', 'X-Request-Id']) {
        expect(exposed.split(',')).toContain(name)
      }
    })

    test('while an OPTIONS that is no preflight reaches its route', async () => {
      const { origin } = await serve((app) =>
        app.options('/uploads', (_, response) => void response.set('Tus-Version', '1.0.0').end()),
      )
      const response = await fetch(`${origin}/uploads`, { method: 'OPTIONS' })
      expect(response.headers.get('tus-version')).toBe('1.0.0')
    })
  })

  test('sends the headers that keep data from being run as a page', async () => {
    const { origin } = await serve((app) =>
      app.get('/file', (_, response) => void response.type('html').send('<script>')),
    )
    const { headers } = await fetch(`${origin}/file`)
    expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none';sandbox")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    expect(headers.get('x-powered-by')).toBeNull()
  })

  describe('with health routes', () => {
    test('is up, ready and tells its status', async () => {
      const { origin } = await serve((app) =>
        app.use(healthRoutes({ checks: { disk: async () => {} }, status: async () => ({ tracks: 3 }) })),
      )
      expect(await (await fetch(`${origin}/health`)).json()).toEqual({ status: 'up' })
      const ready = await fetch(`${origin}/ready`)
      expect([ready.status, await ready.json()]).toMatchObject([
        200,
        { status: 'ready', checks: [{ name: 'disk', ok: true }] },
      ])
      const status = await fetch(`${origin}/status`)
      expect(await status.json()).toEqual({ tracks: 3 })
      expect(status.headers.get('cache-control')).toBe('no-store')
    })

    test('names each check that fails or hangs, and stays up', async () => {
      let aborted = false
      const { origin } = await serve((app) =>
        app.use(
          healthRoutes({
            checks: {
              disk: async () => {},
              database: () => Promise.reject(new Error('connection refused')),
              chain: (signal) => {
                signal.addEventListener('abort', () => {
                  aborted = true
                })
                return new Promise(() => {})
              },
              broken: () => {
                throw new Error('not even async')
              },
            },
            status: async () => ({}),
            timeoutMs: 50,
          }),
        ),
      )
      const ready = await fetch(`${origin}/ready`)
      expect(ready.status).toBe(503)
      expect(await ready.json()).toMatchObject({
        status: 'not ready',
        checks: [
          { name: 'disk', ok: true },
          { name: 'database', ok: false, reason: 'connection refused' },
          { name: 'chain', ok: false, reason: 'no answer within 50 ms' },
          { name: 'broken', ok: false, reason: 'not even async' },
        ],
      })
      expect(aborted).toBe(true)
      expect((await fetch(`${origin}/health`)).status).toBe(200)
    })
  })

  describe('as a server', () => {
    test('says so when its port is taken', async () => {
      const { port } = await serve(() => {})
      await expect(listen(() => {}, { host: '127.0.0.1', port })).rejects.toThrow(
        `cannot listen on 127.0.0.1:${port}`,
      )
    })

    test('closes at once when only idle connections are open', async () => {
      const server = await serve((app) => app.get('/file', (_, response) => void response.end('x')))
      await (await fetch(`${server.origin}/file`)).text()
      const startedAt = performance.now()
      await server.close()
      expect(performance.now() - startedAt).toBeLessThan(1_000)
    })

    test('lets a running answer finish before it closes', async () => {
      const begun = Promise.withResolvers<() => void>()
      const server = await serve((app) =>
        app.get('/long', (_, response) => {
          begun.resolve(() => response.end('done'))
        }),
      )
      const answer = fetch(`${server.origin}/long`).then((response) => response.text())
      const end = await begun.promise
      const closed = server.close()
      end()
      expect(await answer).toBe('done')
      await closed
    })

    test('cuts what does not finish within the grace time', async () => {
      const server = await listen((_, response) => void response.write('for ever'), {
        host: '127.0.0.1',
        port: 0,
        graceMs: 50,
      })
      const response = await fetch(server.origin)
      const silent = connect(server.port, '127.0.0.1')
      await new Promise((resolve) => silent.once('connect', resolve))
      await server.close()
      await expect(response.text()).rejects.toThrow()
      silent.destroy()
      await expect(fetch(server.origin)).rejects.toThrow()
    })
  })
})

function post(url: string, body: string): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
}
