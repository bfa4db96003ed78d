import { afterEach, describe, expect, test } from '@jest/globals'
import { createLogger, createMetrics } from '../process/index.ts'
import { eventually } from '../testing/eventually.ts'
import { createApp, finishApp, type Listening, listen, type QuickRoute, quickFirst } from './index.ts'

type Line = Record<string, unknown>

describe('answers that are ready', () => {
  let server: Listening
  afterEach(() => server.close())

  async function serve() {
    const lines: Line[] = []
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
    const logger = createLogger({ service: 'test', level: 'debug', destination })
    const metrics = createMetrics('test')
    const app = createApp({ logger, metrics, service: 'test', routine: ['/notes/'] })
    app.get('/notes/:id', (request, response) => {
      if (request.params.id === 'lost') response.status(404)
      response.end('from the app')
    })
    app.get('/other', (_, response) => void response.end('from the app'))
    const quick: QuickRoute = {
      route: '/notes/:id',
      answerTo: ({ url }) =>
        url === '/notes/1?secret=1' ? { headers: ['X-Note', '1'], body: Buffer.from('ready') } : undefined,
    }
    server = await listen(quickFirst(quick, finishApp(app)), { host: '127.0.0.1', port: 0 })
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(server.origin + path, { headers })
      return { headers: answer.headers, text: await answer.text() }
    }
    return { get, lines, metrics }
  }

  test('are given at once, and all others by the app', async () => {
    const { get } = await serve()
    const ready = await get('/notes/1?secret=1', { 'X-Request-Id': 'request-7' })
    expect([ready.text, ready.headers.get('x-note')]).toEqual(['ready', '1'])
    expect(ready.headers.get('x-request-id')).toBe('request-7')
    expect((await get('/notes/2')).text).toBe('from the app')
  })

  test('are counted and logged as if the app had given them', async () => {
    const { get, lines, metrics } = await serve()
    await get('/notes/1?secret=1')
    await get('/notes/2')
    await eventually(() => expect(lines).toHaveLength(2))
    expect(lines.map(({ method, path, status }) => [method, path, status])).toEqual([
      ['GET', '/notes/1', 200],
      ['GET', '/notes/2', 200],
    ])
    expect(JSON.stringify(lines)).not.toContain('secret')
    expect(await metrics.registry.metrics()).toContain(
      'http_request_seconds_count{service="test",route="/notes/:id",method="GET",status="200"} 2',
    )
  })

  test('and whatever else is routine are told by the log only where they fail', async () => {
    const { get, lines } = await serve()
    for (const path of ['/notes/1?secret=1', '/notes/2', '/notes/lost', '/other']) await get(path)
    await eventually(() => expect(lines).toHaveLength(4))
    expect(lines.map(({ level }) => level)).toEqual(['debug', 'debug', 'info', 'info'])
  })
})
