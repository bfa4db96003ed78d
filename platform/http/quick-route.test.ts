import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from '@jest/globals'
import { createLogger, createMetrics } from '../process/index.ts'
import { eventually } from '../testing/eventually.ts'
import {
  createApp,
  finishApp,
  type Listening,
  listen,
  type QuickAnswer,
  type QuickRoute,
  quickFirst,
} from './index.ts'

type Line = Record<string, unknown>

/** Sends requests over one connection, one upon the other's heels. @returns all that comes back */
async function converse(port: number, requests: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')))
  socket.write(requests.join(''))
  return text(socket)
}

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
    const ready: QuickAnswer = {
      headers: ['X-Note', '1', 'Content-Length', '5'],
      body: Buffer.from('ready'),
    }
    const known: Record<string, QuickAnswer> = {
      '/notes/1?secret=1': ready,
      '/notes/own?1': { ...ready, ownHeaders: ['X-Own', 'aGE/+w=='] },
      '/notes/own?2': { ...ready, ownHeaders: ['X-Own', 'another (one)', 'X-More', '2'] },
      '/notes/long': { headers: ['X-Note', 'long'], body: Buffer.from('of any length') },
    }
    const quick: QuickRoute = {
      route: '/notes/:id',
      answerTo({ url = '' }) {
        if (url === '/notes/soon') return Promise.resolve(ready)
        if (url === '/notes/never') return Promise.reject(new Error('it came to nothing'))
        return known[url]
      },
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

  test('have the same head each time but for its id and its time, which is right', async () => {
    await serve()
    const ask = (id: string, version = '1.1', more = '') =>
      `GET /notes/1?secret=1 HTTP/${version}\r\nHost: notes\r\nX-Request-Id: ${id}\r\n${more}\r\n`
    const answer = (id: string, connection: string) =>
      `HTTP/1.1 200 OK\r\nX-Request-Id: ${id}\r\nX-Note: 1\r\nContent-Length: 5\r\nDate: now\r\n${connection}\r\n\r\nready`
    const stay = 'Connection: keep-alive\r\nKeep-Alive: timeout=65'
    // An id may look like part of a head.
    const ids = ['X-Request', 'HTTP_1_1', 'another-1']
    for (const _second of [1, 2]) {
      const told = await converse(server.port, [
        ...ids.map((id) => ask(id)),
        ask('by-the-old', '1.0', 'Connection: keep-alive\r\n'),
        ask('the-last', '1.1', 'Connection: close\r\n'),
      ])
      const dates = [...told.matchAll(/Date: (.*)\r/g)].map(([, date = '']) => Date.parse(date))
      expect(dates).toHaveLength(5)
      for (const date of dates) expect(Math.abs(Date.now() - date)).toBeLessThan(3_000)
      expect(told.replaceAll(/(?<=Date: ).*(?=\r)/g, 'now')).toBe(
        [...ids, 'by-the-old'].map((id) => answer(id, stay)).join('') +
          answer('the-last', 'Connection: close'),
      )
      const second = Math.floor(Date.now() / 1000)
      await eventually(() => expect(Math.floor(Date.now() / 1000)).toBeGreaterThan(second))
    }
  })

  test('have headers of their own beside those that come again', async () => {
    const { get } = await serve()
    const own = async (path: string) => {
      const { headers, text } = await get(path)
      return [text, ...['x-note', 'x-own', 'x-more'].map((name) => headers.get(name))]
    }
    for (const _time of [1, 2, 3]) {
      expect(await own('/notes/own?1')).toEqual(['ready', '1', 'aGE/+w==', null])
      expect(await own('/notes/own?2')).toEqual(['ready', '1', 'another (one)', '2'])
      expect(await own('/notes/1?secret=1')).toEqual(['ready', '1', null, null])
    }
  })

  test('are whole however long they are, when nobody has said so', async () => {
    const { get } = await serve()
    for (const _time of [1, 2, 3]) expect((await get('/notes/long')).text).toBe('of any length')
  })

  test('may take a moment, and are the app’s where they come to nothing', async () => {
    const { get, metrics } = await serve()
    expect((await get('/notes/soon')).text).toBe('ready')
    expect((await get('/notes/never')).text).toBe('from the app')
    expect(await metrics.registry.metrics()).toContain(
      'http_request_seconds_count{service="test",route="/notes/:id",method="GET",status="200"} 2',
    )
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
