import { describe, expect, test } from '@jest/globals'
import { followChain, RpcError, RpcUnavailable } from './index.ts'
import { finalityBlocks, follow, grow, logger, settled } from './testing/following.ts'
import { createEventIndex } from './testing/index-of-events.ts'
import { createSimulatedChain } from './testing/simulated-chain.ts'

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

  test('asks for no heads of final blocks whose time their logs tell', async () => {
    const chain = createSimulatedChain()
    grow(chain, 90)
    const index = createEventIndex(1)
    const { blocks } = chain.reader
    const asked = new Set<number>()
    chain.reader.blocks = (numbers) => {
      for (const number of numbers) asked.add(number)
      return blocks(numbers)
    }
    await follow(chain, index)
    const first = 90 - finalityBlocks
    expect([...asked].sort((left, right) => left - right)).toEqual(
      Array.from({ length: finalityBlocks + 1 }, (_, above) => first + above),
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
