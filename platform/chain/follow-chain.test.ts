import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createLogger } from '../process/index.ts'
import {
  type ChainEvent,
  type FollowOptions,
  followChain,
  ReorgTooDeep,
  RpcError,
  RpcUnavailable,
} from './index.ts'
import { createEventIndex, type EventIndex } from './testing/index-of-events.ts'
import { createSimulatedChain, type SimulatedChain } from './testing/simulated-chain.ts'

const finalityBlocks = 8
const logger = createLogger({ service: 'test', level: 'silent' })

/** Follows until the index holds what the chain holds, or `until` says so. */
async function follow(
  chain: SimulatedChain,
  index: EventIndex,
  options: Partial<FollowOptions> & { until?: () => boolean; onEvent?: (event: ChainEvent) => void } = {},
): Promise<void> {
  const controller = new AbortController()
  const { until = () => settled(chain, index), onEvent, ...rest } = options
  const events = followChain({
    reader: chain.reader,
    addresses: [],
    startBlock: 1,
    finalityBlocks,
    known: index.known,
    logger,
    pollMs: 1,
    signal: controller.signal,
    ...rest,
  })
  const deadline = setTimeout(() => controller.abort(), 4_000)
  try {
    for await (const event of events) {
      index.apply(event)
      onEvent?.(event)
      if (until()) return
    }
    throw new Error(`the follower did not get there; it reached ${index.reached()} of ${chain.head()}`)
  } finally {
    clearTimeout(deadline)
  }
}

/** A follower in the background. */
function startFollowing(chain: SimulatedChain, index: EventIndex) {
  const controller = new AbortController()
  const options = { reader: chain.reader, addresses: [], startBlock: 1, finalityBlocks, known: index.known }
  const events = followChain({ ...options, logger, pollMs: 0, signal: controller.signal })
  const ended = (async () => {
    for await (const event of events) index.apply(event)
  })()
  return {
    async settled() {
      const deadline = Date.now() + 2_000
      while (!settled(chain, index)) {
        if (Date.now() > deadline) throw new Error(`it reached ${index.reached()} of ${chain.head()}`)
        await Promise.race([new Promise((resolve) => setImmediate(resolve)), ended])
      }
    },
    async stop() {
      controller.abort()
      await ended
    },
  }
}

function settled(chain: SimulatedChain, index: EventIndex): boolean {
  return index.reached() === chain.head() && JSON.stringify(index.logs()) === JSON.stringify(chain.logs(1))
}

function grow(chain: SimulatedChain, blocks: number, logs = 1): void {
  for (let count = 0; count < blocks; count += 1) chain.grow(logs)
}

describe('followChain', () => {
  test('reads from the start block to the head, final blocks in one range and open ones in another', async () => {
    const chain = createSimulatedChain()
    grow(chain, 100)
    const index = createEventIndex(1)
    await follow(chain, index)
    expect(
      index.events.map(
        (event) => event.type === 'range' && [event.fromBlock, event.toBlock, event.finalized],
      ),
    ).toEqual([
      [1, 92, 92],
      [93, 100, 92],
    ])
  })

  test('gives every log the time of its block', async () => {
    const chain = createSimulatedChain()
    grow(chain, 20)
    const logs = chain.reader.logs
    chain.reader.logs = async (filter) =>
      (await logs(filter)).map((log) => ({ ...log, blockTimestamp: null }))
    const index = createEventIndex(1)
    await follow(chain, index)
    expect(index.logs().map(({ blockTimestamp }) => blockTimestamp)).toEqual(
      chain
        .blocks()
        .slice(1)
        .map(({ timestamp }) => timestamp),
    )
  })

  test('starts at the start block, and waits for a chain that has not reached it', async () => {
    const chain = createSimulatedChain()
    grow(chain, 10)
    const index = createEventIndex(13)
    let polls = 0
    chain.beforeAnswer = (method) => {
      if (method !== 'head') return
      polls += 1
      if (polls >= 5) grow(chain, 1)
    }
    await follow(chain, index, { startBlock: 13, until: () => index.reached() === 15 })
    expect(index.logs()).toEqual(chain.logs(13).slice(0, 3))
  })

  test('goes on where a stopped follower left off', async () => {
    const chain = createSimulatedChain()
    grow(chain, 50)
    const index = createEventIndex(1)
    await follow(chain, index)
    grow(chain, 50)
    await follow(chain, index)
    expect(settled(chain, index)).toBe(true)
    expect(index.events.every(({ type }) => type === 'range')).toBe(true)
  })

  test('passes through hundreds of empty blocks', async () => {
    const chain = createSimulatedChain()
    grow(chain, 600, 0)
    const index = createEventIndex(1)
    await follow(chain, index)
    expect(index.logs()).toEqual([])
    expect(chain.asked.logs).toBeLessThanOrEqual(4)
  })

  test('asks for the head only while nothing happens', async () => {
    const chain = createSimulatedChain()
    grow(chain, 20)
    const index = createEventIndex(1)
    await follow(chain, index)
    const before = { ...chain.asked }
    let polls = 0
    chain.beforeAnswer = (method) => {
      if (method !== 'head') return
      polls += 1
      if (polls === 20) chain.grow(1)
    }
    await follow(chain, index)
    expect(chain.asked.head).toBeGreaterThanOrEqual((before.head ?? 0) + 20)
    expect(chain.asked.blocks).toBe((before.blocks ?? 0) + 1)
  })

  describe('when the chain is reorganised', () => {
    test('says from where, and reads on from there', async () => {
      const chain = createSimulatedChain()
      grow(chain, 30)
      const index = createEventIndex(1)
      await follow(chain, index)
      chain.fork(3, [0, 2, 0, 1])
      await follow(chain, index)
      expect(index.events.filter(({ type }) => type === 'reorg')).toEqual([{ type: 'reorg', toBlock: 27 }])
    })

    test('notices a replaced head of the same height', async () => {
      const chain = createSimulatedChain()
      grow(chain, 30)
      const index = createEventIndex(1)
      await follow(chain, index)
      chain.fork(1, [0])
      await follow(chain, index)
      expect(index.events.at(-2)).toEqual({ type: 'reorg', toBlock: 29 })
    })

    test('compares what it knows before anything else when it starts', async () => {
      const chain = createSimulatedChain()
      grow(chain, 30)
      const index = createEventIndex(1)
      await follow(chain, index)
      chain.fork(5, [1, 1, 1, 1, 1, 1, 1, 1, 1])
      const seen = index.events.length
      await follow(chain, index)
      expect(index.events[seen]).toEqual({ type: 'reorg', toBlock: 25 })
    })

    test('follows a chain that stays shorter, after a moment', async () => {
      const chain = createSimulatedChain()
      grow(chain, 30)
      const index = createEventIndex(1)
      await follow(chain, index)
      chain.fork(4, [])
      await follow(chain, index)
      expect(index.events.at(-1)).toEqual({ type: 'reorg', toBlock: 26 })
    })

    test('is not led astray by a node that lags for a moment', async () => {
      const chain = createSimulatedChain()
      grow(chain, 30)
      const index = createEventIndex(1)
      await follow(chain, index)
      const { head } = chain.reader
      let lagging = 2
      chain.reader.head = async () => {
        lagging -= 1
        const block = chain.blocks()[27]
        if (lagging >= 0 && block !== undefined) return block
        if (lagging === -1) chain.grow(1)
        return head()
      }
      await follow(chain, index)
      expect(index.events.some(({ type }) => type === 'reorg')).toBe(false)
    })

    test('while a range is fetched, gives only what is on the chain', async () => {
      for (const method of ['head', 'blocks', 'logs', 'logsOfBlocks']) {
        const chain = createSimulatedChain()
        grow(chain, 40)
        const index = createEventIndex(1)
        await follow(chain, index)
        grow(chain, 12)
        let forks = 0
        chain.beforeAnswer = (asked) => {
          if (asked !== method || forks === 3) return
          forks += 1
          chain.fork(4, [2, 0, 1, 1])
        }
        await follow(chain, index)
        expect(settled(chain, index)).toBe(true)
        if (method === 'blocks' || method === 'logsOfBlocks') expect(forks).toBeGreaterThan(0)
      }
    })

    test('to a fork from before anything it has read, if that is not final, begins anew', async () => {
      const chain = createSimulatedChain()
      grow(chain, 5)
      const index = createEventIndex(1)
      await follow(chain, index)
      chain.fork(5, [1, 0, 1, 0, 1, 0])
      await follow(chain, index)
      expect(index.events[1]).toEqual({ type: 'reorg', toBlock: 0 })
    })

    test('deeper than finality stops loudly while it runs', async () => {
      const chain = createSimulatedChain()
      grow(chain, 40)
      const index = createEventIndex(1)
      const work = follow(chain, index, {
        until: () => false,
        onEvent: (event) => {
          if (event.type === 'range' && event.toBlock === 40)
            chain.fork(10, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
        },
      })
      await expect(work).rejects.toThrow(ReorgTooDeep)
      await expect(work).rejects.toThrow('rebuild the index')
    })

    test('deeper than finality while it was away stops loudly, too', async () => {
      const chain = createSimulatedChain()
      grow(chain, 40)
      const index = createEventIndex(1)
      await follow(chain, index)
      chain.fork(
        12,
        Array.from({ length: 20 }, () => 1),
      )
      await expect(follow(chain, index)).rejects.toThrow(ReorgTooDeep)
    })

    test('refuses a chain that is another one altogether', async () => {
      const chain = createSimulatedChain()
      grow(chain, 40)
      const index = createEventIndex(1)
      await follow(chain, index)
      const other = createSimulatedChain(1)
      grow(other, 50)
      await expect(follow(other, index)).rejects.toThrow(ReorgTooDeep)
    })

    test('is right after any sequence of growth, forks and losses', async () => {
      const step = fc.oneof(
        fc.record({
          kind: fc.constant('grow' as const),
          logs: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 20 }),
        }),
        fc.record({
          kind: fc.constant('fork' as const),
          depth: fc.integer({ min: 1, max: finalityBlocks - 1 }),
          logs: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: finalityBlocks + 4 }),
        }),
      )
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ step, restart: fc.boolean() }), { maxLength: 12 }),
          async (steps) => {
            const chain = createSimulatedChain()
            const index = createEventIndex(1)
            grow(chain, 20)
            let follower = startFollowing(chain, index)
            await follower.settled()
            for (const { step, restart } of steps) {
              if (restart) await follower.stop()
              if (step.kind === 'grow') for (const logs of step.logs) chain.grow(logs)
              else chain.fork(Math.min(step.depth, chain.head() - index.finalized()), step.logs)
              if (restart) follower = startFollowing(chain, index)
              await follower.settled()
            }
            await follower.stop()
            expect(index.logs()).toEqual(chain.logs(1))
          },
        ),
        { numRuns: 100 },
      )
    })
  })

  describe('with a node in trouble', () => {
    test.each([
      ['answers with errors', () => new RpcError('eth_x', { code: -32603, message: 'internal error' })],
      ['cannot be reached', () => new RpcUnavailable('connection refused')],
    ])('that %s tries again until it is well', async (_, failure) => {
      const chain = createSimulatedChain()
      grow(chain, 40)
      const index = createEventIndex(1)
      let failures = 0
      chain.beforeAnswer = () => {
        if (failures === 3) return
        failures += 1
        throw failure()
      }
      await follow(chain, index)
      expect(failures).toBe(3)
    })

    test('whose ranges are limited asks for less, and finds out how much it gets', async () => {
      const chain = createSimulatedChain()
      grow(chain, 3_000)
      const index = createEventIndex(1)
      const { logs } = chain.reader
      let refused = 0
      const sizes: number[] = []
      chain.reader.logs = (filter) => {
        const blocks = filter.toBlock - filter.fromBlock + 1
        if (blocks > 300) {
          refused += 1
          return Promise.reject(
            new RpcError('eth_getLogs', { code: -32005, message: 'query exceeds the limit' }),
          )
        }
        sizes.push(blocks)
        return logs(filter)
      }
      await follow(chain, index)
      expect(Math.max(...sizes)).toBeGreaterThan(250)
      expect(refused).toBeLessThan(sizes.length)
    })

    test('stops for an error that is no fault of the node', async () => {
      const chain = createSimulatedChain()
      chain.grow(1)
      chain.beforeAnswer = () => {
        throw new RangeError('a bug of ours')
      }
      await expect(follow(chain, createEventIndex(1))).rejects.toThrow('a bug of ours')
    })
  })

  test('ends quietly when its signal says so, also while it waits', async () => {
    const chain = createSimulatedChain()
    grow(chain, 20)
    const controller = new AbortController()
    const index = createEventIndex(1)
    const events = followChain({
      reader: chain.reader,
      addresses: [],
      startBlock: 1,
      finalityBlocks,
      known: index.known,
      logger,
      pollMs: 60_000,
      signal: controller.signal,
    })
    for await (const event of events) {
      index.apply(event)
      if (index.reached() === 20) setImmediate(() => controller.abort())
    }
    expect(index.reached()).toBe(20)
  })

  test('fetches the next range while the consumer still writes the one before', async () => {
    const chain = createSimulatedChain()
    grow(chain, 2_000)
    const index = createEventIndex(1)
    let askedDuringWrite = 0
    await follow(chain, index, {
      maxRangeBlocks: 500,
      onEvent: (event) => {
        if (event.type === 'range' && event.fromBlock === 1) askedDuringWrite = chain.asked.logs ?? 0
      },
    })
    expect(askedDuringWrite).toBe(2)
  })
})
