import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createLogger, createMetrics, type Metrics } from '../process/index.ts'
import { eventually } from '../testing/eventually.ts'
import { type ChainReader, createChainReader, followChain } from './index.ts'
import { type Anvil, ledger, startAnvil } from './testing/anvil.ts'
import { type Fault, type FaultProxy, startFaultProxy } from './testing/fault-proxy.ts'
import { createEventIndex } from './testing/index-of-events.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const badGateway = { status: 502, body: 'Bad Gateway' }
const finalityBlocks = 6

let anvil: Anvil
let first: FaultProxy
let second: FaultProxy
let third: FaultProxy
let metrics: Metrics
let reader: ChainReader

beforeAll(async () => {
  anvil = await startAnvil()
  await anvil.mine(20)
})
afterAll(() => anvil.close())

beforeEach(async () => {
  first = await startFaultProxy(anvil.url)
  second = await startFaultProxy(anvil.url)
  third = await startFaultProxy(anvil.url)
  metrics = createMetrics('test')
  const rpcUrls = [first, second, third].map(({ url }) => url)
  reader = createChainReader({ rpcUrls, timeoutMs: 1_000, logger, metrics })
})
afterEach(async () => {
  await reader.close()
  for (const proxy of [first, second, third]) await proxy.close()
})

function failing(fault: Fault) {
  return () => fault
}

/** Requests so far; those by which it is looked at are not among them. */
function askedOf(proxy: FaultProxy): number {
  return [...proxy.asked].reduce((sum, [method, count]) => (method === 'eth_chainId' ? sum : sum + count), 0)
}

/** Answers as a node would that has not seen the newest blocks. */
function lagBehind(proxy: FaultProxy, head: number): void {
  proxy.alter = ({ method, params }, result) => {
    if (method !== 'eth_getBlockByNumber') return result
    if (params[0] === 'latest') return anvil.rpc.call(method, [`0x${head.toString(16)}`, false])
    return Number(params[0]) > head ? null : result
  }
}

describe('several nodes of a chain', () => {
  test('are asked in their order: the first alone, while it is well', async () => {
    for (let count = 0; count < 5; count += 1) await reader.head()
    expect([first, second, third].map(askedOf)).toEqual([5, 0, 0])
  })

  test.each([
    ['is away', badGateway],
    ['asks for patience', { status: 429, body: 'slow down' }],
    [
      'answers with errors',
      { status: 200, body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error"}}' },
    ],
    ['never answers', 'silence' as const],
    ['cuts the connection', 'cut' as const],
    ['sends half of an answer', 'half' as const],
  ])('answer in place of one that %s, within the request, which then rests', async (_, fault) => {
    await reader.head()
    first.fault = failing(fault)
    await expect(reader.head()).resolves.toMatchObject({ number: await anvil.head() })
    const before = askedOf(first)
    for (let count = 0; count < 3; count += 1) await reader.head()
    expect(askedOf(first)).toBe(before)
    expect(askedOf(third)).toBe(0)
    const text = await metrics.registry.metrics()
    const name = new URL(first.url).host
    expect(text).toMatch(new RegExp(`rpc_endpoint_well\\{endpoint="${name}".*\\} 0`))
    expect(text).toMatch(
      new RegExp(
        `rpc_request_seconds_count\\{.*endpoint="${name}",method="eth_getBlockByNumber",outcome="answered".*\\} 1`,
      ),
    )
  })

  test('go back to the first once it is well again, which is seen without keeping anybody waiting', async () => {
    await reader.head()
    first.fault = failing('silence')
    await reader.head()
    const before = askedOf(first)
    first.fault = failing(undefined)
    await eventually(async () => {
      const startedAt = performance.now()
      await reader.head()
      expect(performance.now() - startedAt).toBeLessThan(900)
      expect(askedOf(first)).toBeGreaterThan(before)
    })
  })

  test('that all fail are tried once each, and the failure is told', async () => {
    for (const proxy of [first, second, third]) proxy.fault = failing(badGateway)
    await expect(reader.head()).rejects.toThrow(/answered 502/)
    for (const proxy of [first, second, third]) proxy.fault = failing(undefined)
    await expect(reader.head()).resolves.toBeDefined()
  })

  test('are not asked in turn for what no node does', async () => {
    await expect(reader.rpc.call('no_such_method', [])).rejects.toThrow(/no_such_method/)
    expect([second, third].map(askedOf)).toEqual([0, 0])
  })

  test('must be of one chain: another one is never believed', async () => {
    await reader.head()
    second.alter = ({ method }, result) => (method === 'eth_chainId' ? '0x5' : result)
    first.fault = failing(badGateway)
    await reader.head()
    expect([second, third].map(askedOf)).toEqual([0, 1])
  })

  test('that lag behind what another has shown are passed over', async () => {
    const head = await reader.head()
    first.fault = failing(badGateway)
    lagBehind(second, head.number - 3)
    expect(await reader.head()).toEqual(head)
    expect(await reader.block(head.number)).toEqual(head)
    expect(await reader.block(head.number + 1)).toBeNull()
  })

  test('are believed when all that answer say that the chain has become shorter', async () => {
    const head = await reader.head()
    first.fault = failing(badGateway)
    for (const proxy of [second, third]) lagBehind(proxy, head.number - 3)
    expect((await reader.head()).number).toBe(head.number - 3)
    expect((await reader.head()).number).toBe(head.number - 3)
  })

  test('are asked for logs and their last block at once: a list never ends early', async () => {
    const head = await reader.head()
    for (const proxy of [first, second, third]) lagBehind(proxy, head.number - 3)
    const range = { addresses: [ledger], fromBlock: head.number - 9, toBlock: head.number }
    await expect(reader.logs(range)).rejects.toThrow(/which it does not have/)
  })
})

describe('a block that was read', () => {
  const otherBlock: FaultProxy['alter'] = ({ method }, result) =>
    method === 'eth_getBlockByNumber' ? { ...(result as object), hash: `0x${'ee'.repeat(32)}` } : result

  test('is kept as long as one node has it', async () => {
    const head = await reader.head()
    first.alter = otherBlock
    second.fault = failing(badGateway)
    expect(await reader.fateOf(head)).toBe('kept')
    expect(await reader.block(head.number)).toEqual(head)
  })

  test('is replaced when every node has another one in its place', async () => {
    const head = await reader.head()
    for (const proxy of [first, second, third]) proxy.alter = otherBlock
    expect(await reader.fateOf(head)).toBe('replaced')
  })

  test('is neither while a node that may have it is away or lags', async () => {
    const head = await reader.head()
    for (const proxy of [first, second, third]) proxy.alter = otherBlock
    third.fault = failing(badGateway)
    expect(await reader.fateOf(head)).toBe('unknown')
    third.fault = failing(undefined)
    lagBehind(third, head.number - 3)
    expect(await reader.fateOf(head)).toBe('unknown')
  })
})

describe('a follower of several nodes', () => {
  test('is not stopped by one that has other final blocks, as long as another has those it knows', async () => {
    const index = createEventIndex(1)
    const stop = new AbortController()
    const known = { reader, addresses: [ledger], startBlock: 1, finalityBlocks, known: index.known, logger }
    const events = followChain({ ...known, pollMs: 5, signal: stop.signal })
    const ended = (async () => {
      for await (const event of events) index.apply(event)
    })()
    const reachesHead = () =>
      eventually(async () => {
        expect(index.reached()).toBe(await anvil.head())
      })
    await reachesHead()
    // The first is well and answers, but from a branch of its own.
    first.alter = ({ method }, result) =>
      method === 'eth_getBlockByNumber' ? { ...(result as object), hash: `0x${'ee'.repeat(32)}` } : result
    await anvil.mine()
    await reachesHead()
    expect(index.events.some(({ type }) => type === 'reorg')).toBe(false)
    stop.abort()
    await ended
  })
})
