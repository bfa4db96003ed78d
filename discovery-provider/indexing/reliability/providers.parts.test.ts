import { type FaultProxy, startFaultProxy } from '@hexachord/platform/chain/testing'
import { openPostgres } from '@hexachord/platform/postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { quiet } from '../../fixtures/database.ts'
import { startDatabaseGate } from '../../fixtures/database-gate.ts'
import { eventually } from '../../fixtures/eventually.ts'
import { errorOf, type IndexedChain, limitRanges, startIndexedChain } from '../../fixtures/indexed-chain.ts'

// A chain of its own, and providers in trouble, on a machine that does other things as well.
jest.setTimeout(120_000)

let world: IndexedChain
beforeAll(async () => {
  world = await startIndexedChain()
  await world.act(20, 4)
})
beforeEach(() => world.reset())
afterAll(() => world.close())

const troubles = [
  { status: 429, body: 'slow down' },
  { status: 502, body: '<html>Bad Gateway</html>' },
  errorOf(-32603, 'internal error'),
  { status: 200, body: 'hello' },
  'silence' as const,
]

/** Misbehaves on every second request, each time in another way. */
function misbehave(provider: FaultProxy): { count: number } {
  const seen = { count: 0 }
  const { fault } = provider
  let asked = 0
  provider.fault = (methods, requests) => {
    asked += 1
    if (asked % 2 === 0 || seen.count === troubles.length) return fault(methods, requests)
    seen.count += 1
    return troubles[seen.count % troubles.length]
  }
  return seen
}

describe('the lag of an index', () => {
  const hour = 3_600_000
  const isDown = { status: 503, body: 'down' }

  test('is none while no block comes, grows while its chain is away, and is none again', async () => {
    world.startWriter()
    await world.caughtUp()
    world.pass(hour)
    await eventually(async () => (await world.lag()) === 0)
    world.provider.fault = () => isDown
    world.pass(hour)
    // A look that was under way may have ended well.
    await eventually(async () => {
      if ((await world.lag()) < 3_600) world.pass(hour)
      return (await world.lag()) >= 3_600
    })
    world.provider.fault = () => undefined
    await eventually(async () => (await world.lag()) === 0)
  })

  test('grows while its database is away, although its chain answers', async () => {
    const gate = await startDatabaseGate(world.database.url)
    const postgres = openPostgres({ url: gate.url, logger: quiet, max: 4 })
    try {
      const writer = world.startWriter({ postgres })
      await world.caughtUp()
      await gate.shut()
      await world.act()
      await eventually(() => writer.role === 'standby')
      world.pass(hour)
      expect(await world.lag()).toBeGreaterThan(3_600)
      await gate.open()
      await eventually(async () => (await world.lag()) === 0)
      await world.stopWriters()
    } finally {
      await postgres.close()
      await gate.close()
    }
  })
})

describe('an index is that of a fresh one although its provider', () => {
  test('answers with 429, 502, errors, no JSON or never, in the backfill', async () => {
    limitRanges(world.provider, 30, 'eth_getLogs is limited to 30 blocks')
    const seen = misbehave(world.provider)
    world.startWriter()
    await world.caughtUp()
    expect(seen.count).toBe(troubles.length)
    await world.expectAsFromScratch()
  })

  test('answers with 429, 502, errors, no JSON or never, at the head', async () => {
    world.startWriter()
    await world.caughtUp()
    const seen = misbehave(world.provider)
    await world.act(2)
    await eventually(() => seen.count === troubles.length)
    await world.act()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })

  test('limits the blocks of a request without saying to how many, and serves more later', async () => {
    const sizes: number[] = []
    const limit = limitRanges(world.provider, 3, 'query exceeds the limit')
    const { fault } = world.provider
    world.provider.fault = (methods, requests) => {
      const logs = requests.find(
        ({ method, params }) => method === 'eth_getLogs' && 'fromBlock' in Object(params[0]),
      )
      if (logs === undefined) return undefined
      const { fromBlock, toBlock } = logs.params[0] as { fromBlock: string; toBlock: string }
      // More than fifty good answers in, the provider has become more generous.
      if (sizes.length < 60) {
        const answer = fault(methods, requests)
        if (answer !== undefined) return answer
      }
      sizes.push(Number(toBlock) - Number(fromBlock) + 1)
      return undefined
    }
    await world.act(1, 250)
    world.startWriter()
    await world.caughtUp()
    expect(limit.refused).toBeGreaterThan(0)
    expect(limit.refused).toBeLessThan(20)
    expect(Math.max(...sizes.slice(0, 60))).toBe(3)
    expect(Math.max(...sizes)).toBeGreaterThan(20)
    await world.expectAsFromScratch()
  })

  test('says to which size it limits requests: that is asked for from then on', async () => {
    const limit = limitRanges(world.provider, 40, 'You can make requests with up to a 40 block range.')
    world.startWriter()
    await world.caughtUp()
    expect(limit.refused).toBe(1)
    await world.expectAsFromScratch()
  })

  test('limits the logs of an answer', async () => {
    let refused = 0
    world.provider.fault = async (_, requests) => {
      const logs = requests.find(
        ({ method, params }) => method === 'eth_getLogs' && 'fromBlock' in Object(params[0]),
      )
      if (logs === undefined) return undefined
      const all = (await world.chain.anvil.rpc('eth_getLogs', [...logs.params])) as unknown[]
      if (all.length <= 5) return undefined
      refused += 1
      return errorOf(-32005, 'query returned more than 5 results')
    }
    world.startWriter()
    await world.caughtUp()
    expect(refused).toBeGreaterThan(0)
    await world.expectAsFromScratch()
  })

  test('falls far behind for a while, below what was final: it is waited for', async () => {
    const writer = world.startWriter()
    await world.caughtUp()
    const head = await world.head()
    let looks = 0
    world.provider.alter = ({ method, params }, result) => {
      if (method !== 'eth_getBlockByNumber') return result
      if (params[0] === 'latest') {
        looks += 1
        return world.chain.anvil.rpc(method, [`0x${(head - 20).toString(16)}`, false])
      }
      return Number(params[0]) > head - 20 ? null : result
    }
    await eventually(() => looks > 3)
    world.provider.alter = (_, result) => result
    await world.act()
    await world.caughtUp()
    expect([writer.role, await world.reorgs()]).toEqual(['writer', 0])
    await world.expectAsFromScratch()
  })

  test('gives the same logs twice, and in disorder', async () => {
    world.provider.alter = ({ method }, result) =>
      method === 'eth_getLogs' ? [...(result as unknown[]), ...(result as unknown[])].reverse() : result
    world.startWriter()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })

  test('gives the answer of the range before in place of that which was asked for', async () => {
    limitRanges(world.provider, 30, 'eth_getLogs is limited to 30 blocks')
    let before: unknown[] = []
    let repeated = 0
    world.provider.alter = ({ method }, result) => {
      if (method !== 'eth_getLogs') return result
      const answer = before.length > 0 && repeated < 3 ? before : (result as unknown[])
      if (answer === before) repeated += 1
      else before = answer
      return answer
    }
    world.startWriter()
    await world.caughtUp()
    expect(repeated).toBe(3)
    await world.expectAsFromScratch()
  })

  test('does not know a block any more that it has just named', async () => {
    world.startWriter()
    await world.caughtUp()
    let vanished = 0
    world.provider.fault = (_, requests) => {
      const byHash = requests.some(
        ({ method, params }) => method === 'eth_getLogs' && 'blockHash' in Object(params[0]),
      )
      if (!byHash || vanished === 3) return undefined
      vanished += 1
      return errorOf(-32000, 'unknown block')
    }
    await world.act(3)
    await eventually(() => vanished === 3)
    await world.caughtUp()
    await world.expectAsFromScratch()
  })
})

describe('with two providers, an index is that of a fresh one although', () => {
  let second: FaultProxy
  beforeEach(async () => {
    second = await startFaultProxy(world.chain.anvil.url)
  })

  test('the first is away in the middle of the backfill, and comes back', async () => {
    limitRanges(world.provider, 30, 'eth_getLogs is limited to 30 blocks')
    limitRanges(second, 30, 'eth_getLogs is limited to 30 blocks')
    const { fault } = world.provider
    let asked = 0
    world.provider.fault = (methods, requests) => {
      asked += 1
      return asked > 4 ? { status: 502, body: '' } : fault(methods, requests)
    }
    world.startWriter({ rpcUrls: [world.provider.url, second.url] })
    await world.caughtUp()
    expect(second.asked.get('eth_getLogs')).toBeGreaterThan(1)
    world.provider.fault = () => undefined
    const before = world.provider.asked.get('eth_getBlockByNumber') ?? 0
    await eventually(() => (world.provider.asked.get('eth_getBlockByNumber') ?? 0) > before)
    await world.act()
    await world.caughtUp()
    await world.expectAsFromScratch()
    await second.close()
  })

  test('each fails in turn, and the one that answers lags', async () => {
    world.startWriter({ rpcUrls: [world.provider.url, second.url] })
    await world.caughtUp()
    for (const [failing, other] of [
      [world.provider, second],
      [second, world.provider],
    ] as const) {
      await world.act(2)
      const head = await world.head()
      failing.fault = () => ({ status: 502, body: '' })
      other.fault = () => undefined
      other.alter = ({ method, params }, result) =>
        method === 'eth_getBlockByNumber' && params[0] === 'latest'
          ? world.chain.anvil.rpc(method, [`0x${(head - 1).toString(16)}`, false])
          : result
      await eventually(async () => (await world.indexed()) >= head - 1)
      other.alter = (_, result) => result
      await world.caughtUp()
    }
    await world.expectAsFromScratch()
    await second.close()
  })
})
