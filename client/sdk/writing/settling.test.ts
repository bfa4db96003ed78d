import { actData, openAction } from '@hexachord/protocol/actions'
import type { ActionStatus } from '@hexachord/protocol/rest'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerJson,
  answerProblem,
  catalog,
  connectionTo,
  domain,
  type HttpServer,
  readBody,
  serve,
  subject,
} from '../fixtures/index.ts'
import { payForAction, relayAction, settleAction, signNewAction, waitForAction } from './index.ts'

const servers: HttpServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(listener: Parameters<typeof serve>[0]): Promise<HttpServer> {
  const server = await serve(listener)
  servers.push(server)
  return server
}

const sign = () =>
  signNewAction(connectionTo(), account, {
    kind: 'delete',
    subject,
    content: { prev: `0x${'ab'.repeat(32)}` },
  })

/** A creator node whose budget for actions is spent, or not. */
const relay = (isSpent: boolean) =>
  start(async (request, response) => {
    const body = await readBody(request)
    if (request.method === 'GET') return answerProblem(response, 404, 'unknown')
    if (isSpent) return answerProblem(response, 429, 'spent', { 'retry-after': '3600' }, 'budget-spent')
    return answerJson(response, { hash: openAction(JSON.parse(body), domain).hash }, 202)
  })

/** Says of any action one thing after the other, the last one for ever; and knows creator nodes. */
function discovery(statuses: (Partial<ActionStatus> | 404)[], creators: readonly string[] = []) {
  return start((request, response) => {
    if (request.url?.startsWith('/v1/operators')) {
      const operator = { controller: account.address, hotKey: account.address, stakeWei: '1', active: true }
      const items = creators.map((endpoint) => ({
        ...operator,
        ...{ operator: account.address, endpoint, capacityBytes: '0' },
      }))
      return answerJson(response, { items, next: null })
    }
    const [next] = statuses.length > 1 ? statuses.splice(0, 1) : statuses
    if (next === undefined || next === 404) return answerProblem(response, 404, 'unknown')
    return answerJson(response, { hash: request.url?.split('/').at(-1), ...next })
  })
}

describe('an action that a creator node does not pay for', () => {
  test('goes to one of those that are on the chain', async () => {
    const spent = await relay(true)
    const generous = await relay(false)
    const index = await discovery([404], [spent.origin, generous.origin])
    const connection = connectionTo({ creators: [spent.origin], discovery: index.origin })
    const { hash, signed } = await sign()
    await expect(relayAction(connection, account, signed)).resolves.toBe(hash)
    expect(generous.requests).toEqual(['POST /actions'])
  })

  test('is handed back signed when none pays, with what the last one said', async () => {
    const spent = await relay(true)
    const { hash, signed } = await sign()
    const refused = relayAction(connectionTo({ creators: [spent.origin] }), account, signed)
    await expect(refused).rejects.toMatchObject({
      ...{ name: 'NotRelayed', status: 429, message: 'spent', retryAfterMs: 3_600_000, hash, signed },
      problem: 'urn:hexachord:problem:budget-spent',
    })
  })

  test('is paid for by the payer: the very action, at the Catalog, on this chain', async () => {
    const spent = await relay(true)
    const index = await discovery([404, 404, { status: 'applied', block: 3 }])
    const { hash, signed } = await sign()
    const sent: unknown[] = []
    const payer = {
      sendTransaction: async (transaction: unknown) => {
        sent.push(transaction)
        return { hash: `0x${'00'.repeat(32)}` }
      },
    }
    const connection = connectionTo({ creators: [spent.origin], discovery: index.origin })
    await expect(settleAction(connection, account, signed, { payer })).resolves.toMatchObject({ hash })
    expect(sent).toEqual([{ to: catalog, data: actData(signed), chainId: 31_337 }])
  })

  test('is not paid for where a node is', async () => {
    const generous = await relay(false)
    const index = await discovery([{ status: 'applied' }])
    const { signed } = await sign()
    const connection = connectionTo({ creators: [generous.origin], discovery: index.origin })
    const payer = { sendTransaction: () => Promise.reject(new Error('never asked')) }
    await expect(settleAction(connection, account, signed, { payer })).resolves.toBeDefined()
    await expect(payForAction(connection, signed, payer)).rejects.toThrow('never asked')
  })
})

describe('waiting until an action is final', () => {
  test('goes on when a reorganisation drops it, and ends when none can any more', async () => {
    const index = await discovery([
      { status: 'applied', block: 7, final: false },
      404,
      404,
      { status: 'applied', block: 9, final: false },
      { status: 'applied', block: 9, final: true },
    ])
    const seen: string[] = []
    const { hash } = await sign()
    const outcome = await waitForAction(connectionTo({ discovery: index.origin }), hash, {
      until: 'final',
      onStatus: ({ status, final }) => seen.push(final ? 'final' : status),
    })
    expect(outcome.status).toMatchObject({ block: 9, final: true })
    expect(seen).toEqual(['applied', 'pending', 'pending', 'applied', 'final'])
  })
})
