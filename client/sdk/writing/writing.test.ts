import { openAction, signAction, signedActionSchema } from '@hexachord/protocol/actions'
import type { ActionStatus } from '@hexachord/protocol/rest'
import { verifyToken } from '@hexachord/protocol/tokens'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerJson,
  answerProblem,
  connectionTo,
  domain,
  type HttpServer,
  serve,
  subject,
} from '../fixtures/index.ts'
import { relayAction, waitForAction, writeAction } from './index.ts'

const servers: HttpServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

type Listener = Parameters<typeof serve>[0]

async function start(listener: Listener, port?: number): Promise<HttpServer> {
  const server = await serve(listener, port)
  servers.push(server)
  return server
}

const action = { kind: 'delete', subject, content: { prev: `0x${'ab'.repeat(32)}` } } as const

async function signed() {
  const { hash, ...rest } = await signAction(account.signer, domain, {
    ...action,
    author: account.address,
    nonce: 5n,
    deadline: 2_000_000_000,
  })
  return { hash, signed: rest }
}

async function bodyOf(request: Parameters<Listener>[0]): Promise<unknown> {
  let text = ''
  for await (const chunk of request) text += chunk
  return JSON.parse(text)
}

/** A relay that takes what it is given, as a creator node does. */
const relay: Listener = async (request, response) => {
  const body = signedActionSchema.parse(await bodyOf(request))
  answerJson(response, { hash: openAction(body, domain).hash }, 202)
}

const refuse =
  (status: number, detail: string): Listener =>
  (request, response) =>
    request.resume().on('end', () => answerProblem(response, status, detail))

/** Answers the question about an action with one status after the other, the last one for ever. */
const says =
  (...statuses: (Partial<ActionStatus> | 404)[]): Listener =>
  (request, response) => {
    const [next] = statuses.length > 1 ? statuses.splice(0, 1) : statuses
    if (next === 404) return answerProblem(response, 404, 'unknown')
    return answerJson(response, { hash: request.url?.split('/').at(-1), ...next })
  }

describe('writing an action', () => {
  test('signs it and hands it to a creator node, as the account', async () => {
    let writer: string | undefined
    const node = await start((request, response) => {
      const audience = node.origin
      writer = verifyToken(request.headers.authorization, { domain, audience, now: Date.now() })
      return relay(request, response)
    })
    const hash = await writeAction(connectionTo({ creators: [node.origin] }), account, action)
    expect(hash).toMatch(/^0x[0-9a-f]{64}$/)
    expect(writer).toBe(account.address)
    expect(node.requests).toEqual(['POST /actions'])
  })

  test('checks the content before anything is signed', async () => {
    const malformed = { ...action, content: { prev: 'nothing' } }
    await expect(writeAction(connectionTo(), account, malformed)).rejects.toMatchObject({
      name: 'ActionError',
    })
  })

  test('turns to the next node when one is away or does not want it', async () => {
    const gone = await start(() => undefined)
    await gone.close()
    const picky = await start(refuse(403, 'not a publisher here'))
    const node = await start(relay)
    const connection = connectionTo({ creators: [gone.origin, picky.origin, node.origin] })
    const { hash, signed: body } = await signed()
    await expect(relayAction(connection, account, body)).resolves.toBe(hash)
    expect(node.requests).toHaveLength(1)
  })

  test('does not ask others about an action that is no good', async () => {
    const node = await start(refuse(422, 'receipts are missing'))
    const next = await start(relay)
    const connection = connectionTo({ creators: [node.origin, next.origin] })
    await expect(writeAction(connection, account, action)).rejects.toMatchObject({
      status: 422,
      message: 'receipts are missing',
    })
    expect(next.requests).toEqual([])
  })

  test('waits for the only node to come back', async () => {
    const gone = await start(() => undefined)
    await gone.close()
    const back = Promise.withResolvers<HttpServer>()
    const connection = connectionTo({
      creators: [gone.origin],
      // The first attempt is over when the node comes back.
      http: async (url, init) => {
        try {
          return await fetch(url, init)
        } catch (error) {
          if (servers.length === 1) back.resolve(await start(relay, gone.port))
          throw error
        }
      },
    })
    const { hash, signed: body } = await signed()
    await expect(relayAction(connection, account, body)).resolves.toBe(hash)
    await expect(back.promise).resolves.toMatchObject({ requests: ['POST /actions'] })
  })

  test('gives up at last, with what the nodes said', async () => {
    const broken = await start(refuse(503, 'the chain is away'))
    const creators = [broken.origin]
    const { signed: body } = await signed()
    await expect(
      relayAction(connectionTo({ creators }), account, body, { patienceMs: 100 }),
    ).rejects.toMatchObject({ status: 503, message: 'the chain is away' })
    await expect(relayAction(connectionTo(), account, body)).rejects.toThrow('no creator node is known')
  })

  test('once is enough: a node whose answer was lost has it already', async () => {
    let count = 0
    const node = await start(async (request, response) => {
      if (request.method === 'GET') return answerJson(response, { hash, status: 'pending' })
      await bodyOf(request)
      count += 1
      if (count === 1) return request.socket.destroy()
      return answerProblem(response, 409, 'the nonce is used')
    })
    const { hash, signed: body } = await signed()
    await expect(relayAction(connectionTo({ creators: [node.origin] }), account, body)).resolves.toBe(hash)
    expect(node.requests).toEqual(['POST /actions', 'POST /actions', `GET /actions/${hash}`])
  })

  test('a nonce that was used for something else is an error', async () => {
    const node = await start((request, response) =>
      refuse(request.method === 'GET' ? 404 : 409, 'the nonce is used')(request, response),
    )
    const { signed: body } = await signed()
    await expect(relayAction(connectionTo({ creators: [node.origin] }), account, body)).rejects.toMatchObject(
      { status: 409 },
    )
  })

  test('a node that took something else is not believed', async () => {
    const node = await start((request, response) =>
      request.resume().on('end', () => answerJson(response, { hash: `0x${'00'.repeat(32)}` }, 202)),
    )
    const { signed: body } = await signed()
    const relayed = relayAction(connectionTo({ creators: [node.origin] }), account, body, { patienceMs: 0 })
    await expect(relayed).rejects.toThrow('it took another action than the one it was given')
  })
})

describe('waiting for an action', () => {
  const hash = `0x${'cd'.repeat(32)}` as const

  test('goes from pending over mined to applied', async () => {
    const node = await start(says(404, { status: 'pending' }, { status: 'applied' }))
    const discovery = await start(says(404, 404, 404, { status: 'applied', block: 7 }))
    const seen: string[] = []
    const connection = connectionTo({ discovery: discovery.origin, creators: [node.origin] })
    const outcome = await waitForAction(connection, hash, { onStatus: ({ status }) => seen.push(status) })
    expect(outcome).toEqual({ hash, status: { hash, status: 'applied', block: 7 } })
    // A node knows that it is on the chain, and not that discovery has read it there.
    expect(seen).toEqual(['pending', 'pending', 'mined', 'applied'])
  })

  test('says why it was rejected', async () => {
    const discovery = await start(says({ status: 'rejected', verdict: 'stalePrev', reason: 'prev is old' }))
    const failure = waitForAction(connectionTo({ discovery: discovery.origin }), hash)
    await expect(failure).rejects.toMatchObject({
      name: 'ActionRejected',
      message: 'the action was rejected: prev is old',
      status: { verdict: 'stalePrev' },
    })
  })

  test('one relay cannot reject what another one still carries', async () => {
    const rejecting = await start(says({ status: 'rejected', verdict: 'neverMined' }))
    const carrying = await start(says({ status: 'pending' }, { status: 'rejected', verdict: 'neverMined' }))
    const seen: string[] = []
    const connection = connectionTo({ creators: [rejecting.origin, carrying.origin] })
    const waiting = waitForAction(connection, hash, { onStatus: ({ status }) => seen.push(status) })
    await expect(waiting).rejects.toThrow('neverMined')
    expect(seen).toEqual(['pending', 'rejected'])
  })

  test('bears nodes that are away', async () => {
    const gone = await start(() => undefined)
    await gone.close()
    const discovery = await start(says(404, { status: 'applied' }))
    const connection = connectionTo({ discovery: discovery.origin, creators: [gone.origin] })
    await expect(waitForAction(connection, hash)).resolves.toMatchObject({ status: { status: 'applied' } })
  })

  test('ends when it takes too long, or is called off', async () => {
    const connection = connectionTo()
    await expect(waitForAction(connection, hash, { timeoutMs: 50 })).rejects.toThrow('is not indexed after')
    const stop = new AbortController()
    const waiting = waitForAction(connection, hash, { signal: stop.signal })
    stop.abort(new Error('never mind'))
    await expect(waiting).rejects.toThrow('never mind')
  })
})
