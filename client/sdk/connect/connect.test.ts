import { afterEach, describe, expect, test } from '@jest/globals'
import * as z from 'zod'
import {
  answerJson,
  answerProblem,
  catalog,
  discoveryStatus,
  type HttpServer,
  paymentsNetwork,
  serve,
} from '../fixtures/index.ts'
import { ApiError, connect, NoProvider } from './index.ts'

const servers: HttpServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

type Listener = Parameters<typeof serve>[0]

async function provider(status: object = discoveryStatus(), answer?: Listener): Promise<HttpServer> {
  const server = await serve((request, response) =>
    answer && request.url !== '/status' ? answer(request, response) : answerJson(response, status),
  )
  servers.push(server)
  return server
}

async function away(): Promise<string> {
  const server = await serve(() => undefined)
  await server.close()
  return server.origin
}

describe('connecting', () => {
  test('takes the network from the provider', async () => {
    const one = await provider()
    const connection = await connect({ discovery: [one.origin], creators: ['http://node.example:80/'] })
    expect(connection.domain).toEqual({
      name: 'Hexachord',
      version: '1',
      chainId: 31_337,
      verifyingContract: catalog,
    })
    expect(connection.providers).toEqual([{ origin: one.origin, status: discoveryStatus() }])
    expect(connection.creators).toEqual(['http://node.example'])
  })

  test('asks one that is named twice once', async () => {
    const one = await provider()
    const connection = await connect({ discovery: [one.origin, `${one.origin}/`] })
    expect(connection.providers).toHaveLength(1)
  })

  test.each([
    ['is on another chain', { chainId: 1 }, 'another network'],
    ['has another catalog', { catalog: `0x${'1'.repeat(40)}` }, 'another network'],
    ['is far behind', { indexed: 79 }, 'more than 20 blocks behind'],
    ['has another state at the same block', { stateHash: `0x${'cd'.repeat(32)}` }, 'another state'],
  ])('leaves one aside that %s', async (_, changes, reason) => {
    const good = [await provider(), await provider()]
    const bad = await provider(discoveryStatus(changes as never))
    const connection = await connect({ discovery: [bad, ...good].map(({ origin }) => origin) })
    expect(connection.providers.map(({ origin }) => origin)).toEqual(good.map(({ origin }) => origin))
    expect(connection.dropped).toEqual([{ origin: bad.origin, reason: expect.stringContaining(reason) }])
  })

  test('keeps one that trails a little, behind those which are further', async () => {
    const trailing = await provider(
      discoveryStatus({ indexed: 81, stateHashBlock: 80, stateHash: hash('01') }),
    )
    const first = await provider()
    const { providers, dropped } = await connect({ discovery: [trailing.origin, first.origin] })
    expect(providers.map(({ origin }) => origin)).toEqual([first.origin, trailing.origin])
    expect(dropped).toEqual([])
  })

  test('uses what is there when one is away', async () => {
    const gone = await away()
    const one = await provider()
    const { providers, dropped } = await connect({ discovery: [gone, one.origin] })
    expect(providers).toHaveLength(1)
    expect(dropped).toEqual([{ origin: gone, reason: expect.stringContaining('ECONNREFUSED') }])
  })

  test('refuses another network than the one asked for', async () => {
    const one = await provider()
    const network = { chainId: 10, contracts: { catalog } }
    await expect(connect({ discovery: [one.origin], network })).rejects.toThrow('is on another network')
  })

  test('knows where to pay, and leaves aside whoever names other contracts', async () => {
    const { payments } = paymentsNetwork
    const honest = await provider(discoveryStatus({ payments }))
    const other = await provider(
      discoveryStatus({ payments: { ...payments, streamEscrow: `0x${'99'.repeat(20)}` } }),
    )
    const known = { chainId: 31_337, contracts: { catalog }, payments }
    const connection = await connect({ discovery: [other.origin, honest.origin], network: known })
    expect(connection.payments).toEqual({ chainId: 31_337, payments })
    expect(connection.dropped).toEqual([
      { origin: other.origin, reason: 'names other contracts of payments' },
    ])
    await expect(connect({ discovery: [(await provider()).origin] })).resolves.toMatchObject({
      payments: undefined,
    })
  })

  test('says of each what is wrong when none can be used', async () => {
    const broken = await provider({ service: 'creator-node' })
    const gone = await away()
    const failure = await connect({ discovery: [broken.origin, gone] }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(NoProvider)
    expect(String(failure)).toContain(`${broken.origin}/status: the answer has another form`)
    expect(String(failure)).toContain(`${gone}/status: fetch failed`)
    await expect(connect({ discovery: [] })).rejects.toThrow('none was given')
  })

  test('can be called off', async () => {
    const silent = await serve(() => undefined)
    servers.push(silent)
    const stop = new AbortController()
    const connecting = connect({ discovery: [silent.origin], signal: stop.signal })
    stop.abort(new Error('changed my mind'))
    await expect(connecting).rejects.toThrow('changed my mind')
  })
})

describe('asking discovery', () => {
  const anything = z.object({ from: z.string() })

  test('turns to the next provider when one breaks, and asks that one last from then on', async () => {
    const broken = await provider(discoveryStatus(), (_, response) => answerProblem(response, 503, 'not now'))
    const good = await provider(discoveryStatus(), (_, response) => answerJson(response, { from: 'good' }))
    const connection = await connect({ discovery: [broken.origin, good.origin] })
    await expect(connection.discover('/v1/x', anything)).resolves.toEqual({ from: 'good' })
    await expect(connection.discover('/v1/x', anything)).resolves.toEqual({ from: 'good' })
    expect(broken.requests).toEqual(['GET /status', 'GET /v1/x'])
  })

  test('takes a no for a no', async () => {
    const answer: Listener = (_, response) => answerProblem(response, 404, 'no such track')
    const one = await provider(discoveryStatus(), answer)
    const two = await provider(discoveryStatus(), answer)
    const connection = await connect({ discovery: [one.origin, two.origin] })
    await expect(connection.discover('/v1/x', anything)).rejects.toMatchObject({
      name: 'ApiError',
      status: 404,
      message: 'no such track',
      problem: 'urn:hexachord:problem:test',
    })
    expect(two.requests).toEqual(['GET /status'])
  })

  test('does not trust the form of an answer, nor its length', async () => {
    const answers = ['<html>', '{"from":7}', JSON.stringify({ from: 'x'.repeat(9_000_000) })]
    const one = await provider(discoveryStatus(), (_, response) => response.end(answers.shift()))
    const connection = await connect({ discovery: [one.origin] })
    const ask = () => connection.discover('/v1/x', anything)
    await expect(ask()).rejects.toThrow('the answer is not JSON')
    await expect(ask()).rejects.toThrow('the answer has another form: from')
    await expect(ask()).rejects.toThrow('the answer is longer than 8388608 bytes')
    await expect(ask()).rejects.toBeInstanceOf(ApiError)
  })
})

function hash(byte: string) {
  return `0x${byte.repeat(32)}` as const
}
