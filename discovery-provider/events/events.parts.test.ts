import { createApp, finishApp, type Listening, listen } from '@hexachord/platform/http'
import { createMetrics } from '@hexachord/platform/process'
import { type Subject, subjectOf } from '@hexachord/protocol/names'
import { trackSchema } from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { quiet } from '../fixtures/database.ts'
import { eventually } from '../fixtures/eventually.ts'
import {
  bjork,
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { newListener } from '../fixtures/subsonic-listener.ts'
import { published } from '../fixtures/test-index.ts'
import { createPlayNews } from '../plays/index.ts'
import { eventRoutes } from './index.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const closing = new AbortController()
let served: ServedCatalogue
let server: Listening
beforeAll(async () => {
  served = await serveCatalogue()
  const app = createApp({ logger: quiet, metrics: createMetrics('test'), service: 'test' })
  app.set('trust proxy', 'loopback')
  const { postgres: database } = served.catalogue.database
  const playNews = createPlayNews()
  app.use(eventRoutes({ database, playNews, now: Date.now, signal: closing.signal }))
  server = await listen(finishApp(app), { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  closing.abort()
  await server?.close()
  await served?.close()
})

type Heard = { event: string; id: string | undefined; data: Record<string, unknown> }

const ask = (query = '', init: RequestInit = {}, { origin }: { origin: string } = server) =>
  fetch(`${origin}/v1/events${query}`, init)

/** Listens as an EventSource does. */
async function hear(query = '', headers: Record<string, string> = {}, at: { origin: string } = server) {
  const hangUp = new AbortController()
  const response = await ask(query, { headers, signal: hangUp.signal }, at)
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/event-stream; charset=utf-8',
  ])
  if (response.body === null) throw new Error('there is a stream')
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    async next(): Promise<Heard> {
      for (;;) {
        const end = text.indexOf('\n\n')
        const block = text.slice(0, end)
        if (end >= 0) text = text.slice(end + 2)
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)))
        if (end >= 0 && 'event' in fields) {
          return { event: fields.event, id: fields.id, data: JSON.parse(fields.data) }
        }
        if (end >= 0) continue
        const { value, done } = await reader.read()
        if (done) throw new Error('the stream has ended')
        text += value
      }
    },
    /** Up to the first of that name. */
    async until(name: string): Promise<Heard[]> {
      const heard: Heard[] = []
      for (;;) {
        const one = await this.next()
        heard.push(one)
        if (one.event === name) return heard
      }
    },
    ended: () => reader.closed,
    hangUp: () => hangUp.abort(),
  }
}

const tracksOf = (heard: readonly Heard[]) =>
  heard.flatMap(({ event, data }) => (event === 'track' ? [data.id] : []))

describe('events', () => {
  test('are told from a place on: the tracks that are there now and listed, then how far the index is', async () => {
    const listener = await hear('?after=0-0')
    const heard = await listener.until('state')
    expect(tracksOf(heard)).toEqual([hymn, joga])
    const [first, , last] = heard
    expect(trackSchema.parse(first?.data)).toMatchObject({ id: hymn, last: { block: 10, logIndex: 1 } })
    expect(first?.id).toBe('10-1')
    expect(last?.data).toMatchObject({ indexed: served.catalogue.chain.head, stateHash: expect.any(String) })
    listener.hangUp()
    const again = await hear('', { 'last-event-id': first?.id ?? '' })
    expect(tracksOf(await again.until('state'))).toEqual([joga])
    again.hangUp()
  })

  test('come as they happen, once each, to whoever listens', async () => {
    const listeners = await Promise.all([hear(), hear()])
    for (const listener of listeners) expect(tracksOf(await listener.until('state'))).toEqual([])
    const song = subjectOf(bjork, 20n)
    await served.catalogue.put(await published(song))
    for (const listener of listeners) {
      expect(tracksOf(await listener.until('state'))).toEqual([song])
      listener.hangUp()
    }
  })

  test('tell of a scheduled track only once it is out, to whoever asks from before it', async () => {
    const { catalogue } = served
    const releaseAtMs = 4_000_000_000_000
    const song = subjectOf(bjork, 21n)
    const from = `?after=${catalogue.chain.head}-0`
    await catalogue.put(await published(song, { releaseAtMs }))
    /** All that a listener is told until he knows the whole index. */
    const told = async () => {
      const listener = await hear(from)
      const heard: Heard[] = []
      do heard.push(...(await listener.until('state')))
      while (heard.at(-1)?.data.indexed !== catalogue.chain.head)
      listener.hangUp()
      return tracksOf(heard)
    }
    expect(await told()).not.toContain(song)
    // The chain's clock goes on.
    await catalogue.database.postgres.query(
      'UPDATE block SET unix_seconds = $1 WHERE number = (SELECT max(number) FROM block)',
      [releaseAtMs / 1000],
    )
    expect(await told()).toContain(song)
  })

  test('tell of a reorganisation, and then anew of what is not final', async () => {
    const { catalogue } = served
    const [lost, other] = [subjectOf(guido, 30n), subjectOf(guido, 31n)] as [Subject, Subject]
    await catalogue.put(await published(lost))
    const listener = await hear(`?after=${catalogue.chain.head - 1}-0`)
    // What is not final is told once more, so that there may be others before it.
    while ((await listener.next()).data.id !== lost);
    const [state] = await listener.until('state')
    catalogue.chain.drop(1)
    await catalogue.index.takeBack(catalogue.chain.head)
    await catalogue.put(await published(other))
    const heard = await listener.until('reorg')
    expect(heard.at(-1)?.data).toEqual({ finalized: state?.data.finalized })
    expect(tracksOf(await listener.until('state'))).toEqual(expect.arrayContaining([other]))
    listener.hangUp()
  })

  test('tell of plays as they are counted, not of whom, and of none of what is unlisted', async () => {
    const player = await newListener(served, '7e')
    const listener = await hear('', {}, served)
    await listener.until('state')
    await player.ask('scrobble', { id: [`tr-${hidden}`, `tr-${joga}`, `tr-${joga}`] })
    await player.ask('scrobble', { id: `tr-${joga}` })
    const heard = [...(await listener.until('plays')), ...(await listener.until('plays'))]
    const day = new Date().toISOString().slice(0, 10)
    expect(heard.filter(({ event }) => event === 'plays')).toEqual([
      { event: 'plays', id: undefined, data: { track: joga, day, count: 2 } },
      { event: 'plays', id: undefined, data: { track: joga, day, count: 3 } },
    ])
    listener.hangUp()
  })

  test('are for all: one client has twenty connections, and no more until it ends one', async () => {
    const from = (client: string) => ({ 'x-forwarded-for': client })
    const many = await Promise.all(Array.from({ length: 20 }, () => hear('', from('8.8.8.8'))))
    const refused = await ask('', { headers: from('8.8.8.8') })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
    many.push(await hear('', from('8.8.4.4')))
    many[0]?.hangUp()
    const again = await eventually(
      () => ask('', { headers: from('8.8.8.8'), method: 'HEAD' }),
      ({ status }) => status === 200,
    )
    expect(again.status).toBe(200)
    for (const listener of many) listener.hangUp()
  })

  test('are not begun for an id that is none, nor sent to HEAD', async () => {
    for (const response of [
      await ask('?after=yesterday'),
      await ask('', { headers: { 'last-event-id': '5' } }),
    ]) {
      expect([response.status, await response.json()]).toMatchObject([
        400,
        { detail: expect.stringContaining('after') },
      ])
    }
    expect((await ask('', { method: 'HEAD' })).status).toBe(200)
  })

  test('end when the provider closes', async () => {
    const listener = await hear()
    await listener.until('state')
    closing.abort()
    await expect(listener.next()).rejects.toThrow('the stream has ended')
  })
})
