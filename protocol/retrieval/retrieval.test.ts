import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, test } from '@jest/globals'
import { CidError, cidOf, maximumBlockBytes } from '../cids/index.ts'
import { createRetriever, type Fault, RetrievalFailed, type RetrieverOptions, type Source } from './index.ts'

const block = new TextEncoder().encode('six seconds of music')
const cid = await cidOf(block, 'raw')

const close: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(close.splice(0).map((end) => end()))
})

describe('a retriever', () => {
  test('gives a block, checked, and says who sent it', async () => {
    const holder = await serve(honest)
    const { retrieve, quality } = retrieverOf([holder])
    await expect(retrieve(cid)).resolves.toEqual({ bytes: block, source: holder.id })
    expect(holder.requests).toEqual([`/ipfs/${cid}`])
    expect(quality()).toMatchObject([{ source: holder.id, blocks: 1, state: 'good' }])
  })

  test('turns from a liar to the next source, and never asks the liar again', async () => {
    const liar = await serve((_, response) => response.end('other bytes'))
    const holder = await serve(honest)
    const { retrieve, quality } = retrieverOf([liar, holder])
    const faults: Fault[] = []
    await expect(retrieve(cid, { onFault: (fault) => faults.push(fault) })).resolves.toMatchObject({
      source: holder.id,
    })
    expect(faults).toEqual([{ source: liar.id, cid, kind: 'lied', message: 'it sent other bytes' }])
    await retrieve(cid)
    expect(liar.requests).toHaveLength(1)
    expect(quality()).toContainEqual(expect.objectContaining({ source: liar.id, state: 'dropped' }))
  })

  test.each<[string, Fault['kind'], RequestListener]>([
    ['sends too little', 'lied', (_, response) => response.end(block.subarray(1))],
    ['sends nothing', 'lied', (_, response) => response.end()],
    [
      'sends a byte too much',
      'lied',
      (_, response) => response.end(Buffer.concat([block, block.subarray(0, 1)])),
    ],
    ['announces more than a block can have', 'lied', announceTooMuch],
    ['sends without end', 'lied', sendWithoutEnd],
    ['breaks off', 'unreachable', breakOff],
    ['hangs up', 'unreachable', (request) => request.socket.destroy()],
    ['redirects in a circle', 'unreachable', (request, response) => redirect(response, request.url ?? '/')],
    ['does not have it', 'missing', (_, response) => answer(response, 404)],
    ['has it no more', 'missing', (_, response) => answer(response, 410)],
    ['has an error', 'refused', (_, response) => answer(response, 500)],
    ['sends a part only', 'refused', (_, response) => answer(response, 206)],
    ['says nothing', 'timed-out', () => undefined],
    ['says nothing after its headers', 'timed-out', (_, response) => response.writeHead(200).flushHeaders()],
    ['drips', 'timed-out', drip],
  ])('copes with a source that %s', async (_, kind, misbehave) => {
    const bad = await serve(misbehave)
    const good = await serve(honest)
    const faults: Fault[] = []
    const { retrieve } = retrieverOf([bad, good], { timeoutMs: 150, hedgeAfterMs: 1_000 })
    await expect(retrieve(cid, { onFault: (fault) => faults.push(fault) })).resolves.toEqual({
      bytes: block,
      source: good.id,
    })
    expect(faults).toMatchObject([{ source: bad.id, kind }])
    // Whatever it still had to send, nobody waits for it.
    await bad.idle()
  })

  test('copes with a source that cannot be connected to', async () => {
    const gone = await serve(honest)
    await Promise.all(close.splice(0).map((end) => end()))
    const good = await serve(honest)
    const faults: Fault[] = []
    await expect(
      retrieverOf([gone, good]).retrieve(cid, { onFault: (fault) => faults.push(fault) }),
    ).resolves.toMatchObject({ source: good.id })
    expect(faults).toMatchObject([{ kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') }])
  })

  test('follows a redirect, since the bytes are checked wherever they come from', async () => {
    const holder = await serve(honest)
    const pointer = await serve((_, response) => redirect(response, holder.url(cid)))
    await expect(retrieverOf([pointer]).retrieve(cid)).resolves.toEqual({ bytes: block, source: pointer.id })
  })

  test('takes a block of just the largest size', async () => {
    const large = new Uint8Array(maximumBlockBytes).fill(7)
    const holder = await serve((_, response) => response.end(large))
    const { bytes } = await retrieverOf([holder]).retrieve(await cidOf(large, 'raw'))
    expect(Buffer.compare(bytes, large)).toBe(0)
  })

  test('asks a second source when the first stalls, and lets go of the first', async () => {
    const stalling = await serve(() => undefined)
    const holder = await serve(honest)
    const { retrieve, quality } = retrieverOf([stalling, holder], { hedgeAfterMs: 20 })
    const faults: Fault[] = []
    await expect(retrieve(cid, { onFault: (fault) => faults.push(fault) })).resolves.toMatchObject({
      source: holder.id,
    })
    await stalling.idle()
    expect(faults).toEqual([])
    // The next block is asked of the quicker one at once.
    await retrieve(cid)
    expect(stalling.requests).toHaveLength(1)
    expect(quality()).toContainEqual(
      expect.objectContaining({ source: stalling.id, blocks: 0, state: 'good' }),
    )
  })

  test('asks three at once at most, each next one when the last has stalled', async () => {
    let atOnce = 0
    let mostAtOnce = 0
    const stalling = Array.from(
      { length: 5 },
      (_, index): Source => ({
        id: `stalling ${index}`,
        get: async (_, signal) => {
          mostAtOnce = Math.max(mostAtOnce, ++atOnce)
          const { promise, resolve } = Promise.withResolvers<void>()
          signal.addEventListener('abort', () => resolve())
          await promise
          atOnce--
          throw signal.reason
        },
      }),
    )
    const holder = await serve(honest)
    const { retrieve } = retrieverOf([...stalling, holder], { hedgeAfterMs: 5, timeoutMs: 50 })
    await expect(retrieve(cid)).resolves.toMatchObject({ source: holder.id })
    expect(mostAtOnce).toBe(3)
  })

  test('takes the first when it comes after all, before the second', async () => {
    const { promise: secondAsked, resolve: secondIsAsked } = Promise.withResolvers<void>()
    const slow: Source = { id: 'slow', get: () => secondAsked.then(() => block) }
    const silent: Source = {
      id: 'silent',
      get: () => {
        secondIsAsked()
        return new Promise(() => undefined)
      },
    }
    const { retrieve } = retrieverOf([slow, silent], { hedgeAfterMs: 5 })
    await expect(retrieve(cid)).resolves.toMatchObject({ source: 'slow' })
  })

  test('tells each source and its reason when all fail', async () => {
    const liar = await serve((_, response) => response.end('other bytes'))
    const empty = await serve((_, response) => answer(response, 404))
    const { retrieve } = retrieverOf([liar, empty])
    const failure = await retrieve(cid).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RetrievalFailed)
    expect(failure).toMatchObject({
      cid,
      message: `no source gave ${cid} (${liar.id} lied: it sent other bytes; ${empty.id} missing: it answered 404)`,
      faults: [
        { source: liar.id, kind: 'lied' },
        { source: empty.id, kind: 'missing' },
      ],
    })
    await expect(retrieve(cid)).rejects.toThrow('it sent other bytes before')
    await expect(retrieverOf([]).retrieve(cid)).rejects.toThrow('there is none to ask')
  })

  test('asks nobody for what is no name of a block', async () => {
    const holder = await serve(honest)
    await expect(retrieverOf([holder]).retrieve('../../etc/passwd')).rejects.toBeInstanceOf(CidError)
    expect(holder.requests).toEqual([])
  })

  test('stops when its caller does, and blames nobody', async () => {
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>()
    const stalling = await serve(() => isAsked())
    const { retrieve, quality } = retrieverOf([stalling, stalling])
    const caller = new AbortController()
    const retrieving = retrieve(cid, { signal: caller.signal })
    await asked
    caller.abort(new Error('the listener skipped the track'))
    await expect(retrieving).rejects.toThrow('the listener skipped the track')
    await stalling.idle()
    expect(quality()).toMatchObject([{ state: 'good', blocks: 0, latencyMs: undefined }])
    await expect(retrieve(cid, { signal: caller.signal })).rejects.toThrow('the listener skipped the track')
  })

  test('is not held up by a source that pays no heed to its signal', async () => {
    const deaf: Source = { id: 'deaf', get: () => new Promise(() => undefined) }
    await expect(retrieverOf([deaf], { timeoutMs: 20 }).retrieve(cid)).rejects.toMatchObject({
      faults: [{ source: 'deaf', kind: 'timed-out', message: 'no block within 20 ms' }],
    })
  })

  test('checks what a local source gives, too', async () => {
    const rotten: Source = { id: 'disk', get: async () => Uint8Array.of(1, 2, 3) }
    await expect(retrieverOf([rotten]).retrieve(cid)).rejects.toMatchObject({
      faults: [{ source: 'disk', kind: 'lied' }],
    })
  })
})

type TestServer = Source & {
  readonly url: (cid: string) => string
  readonly requests: string[]
  /** Waits until no connection to it is open. */
  readonly idle: () => Promise<void>
}

async function serve(listener: RequestListener): Promise<TestServer> {
  const requests: string[] = []
  const responses = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    responses.add(response)
    response.on('close', () => responses.delete(response))
    listener(request, response)
  })
  const { promise: isListening, resolve: listening } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening)
  await isListening
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const id = `http://127.0.0.1:${port}`
  close.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    id,
    url: (name) => `${id}/ipfs/${name}`,
    requests,
    idle: async () => {
      const deadline = performance.now() + 5_000
      while (responses.size > 0) {
        if (performance.now() > deadline)
          throw new Error(`${responses.size} requests to ${id} are still open`)
        await delay(5)
      }
    },
  }
}

function retrieverOf(sources: Source[], options: Partial<RetrieverOptions> = {}) {
  return createRetriever({ fetch, now: () => performance.now(), sources: () => sources, ...options })
}

function honest(...[, response]: Parameters<RequestListener>) {
  response.writeHead(200, { 'content-length': block.length }).end(block)
}

function answer(response: ServerResponse, status: number) {
  response.writeHead(status).end('no')
}

function redirect(response: ServerResponse, location: string) {
  response.writeHead(302, { location }).end()
}

function announceTooMuch(...[, response]: Parameters<RequestListener>) {
  response.writeHead(200, { 'content-length': maximumBlockBytes + 1 })
  response.flushHeaders()
}

function sendWithoutEnd(...[, response]: Parameters<RequestListener>) {
  const send = () => {
    while (!response.destroyed && response.write(Buffer.alloc(65_536)));
  }
  response.on('drain', send)
  send()
}

function breakOff(...[request, response]: Parameters<RequestListener>) {
  response.writeHead(200, { 'content-length': block.length })
  response.write(block.subarray(0, 5), () => request.socket.destroy())
}

function drip(...[, response]: Parameters<RequestListener>) {
  const timer = setInterval(() => response.write('.'), 5)
  response.on('close', () => clearInterval(timer))
}
