import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ReorgTooDeep } from './index.ts'
import { finalityBlocks, follow, grow, settled, startFollowing } from './testing/following.ts'
import { createEventIndex } from './testing/index-of-events.ts'
import { createSimulatedChain } from './testing/simulated-chain.ts'

describe('followChain, when the chain is reorganised,', () => {
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

  test('waits for a node that has fallen behind what was final, however long', async () => {
    const chain = createSimulatedChain()
    grow(chain, 30)
    const index = createEventIndex(1)
    await follow(chain, index)
    const { head } = chain.reader
    let lagging = 4
    chain.reader.head = async () => {
      lagging -= 1
      const block = chain.blocks()[10]
      if (lagging >= 0 && block !== undefined) return block
      if (lagging === -1) chain.grow(1)
      return head()
    }
    await follow(chain, index)
    expect(index.events.some(({ type }) => type === 'reorg')).toBe(false)
  })

  test('goes on with a node that still has the final blocks, while another has others', async () => {
    const chain = createSimulatedChain()
    grow(chain, 30)
    const index = createEventIndex(1)
    await follow(chain, index)
    const { blocks, fateOf } = chain.reader
    let strange = true
    chain.reader.blocks = async (numbers) =>
      (await blocks(numbers)).map((block) =>
        block === null || !strange ? block : { ...block, hash: `0x${'ee'.repeat(32)}` },
      )
    chain.reader.fateOf = (block) => {
      strange = false
      return fateOf(block)
    }
    grow(chain, 1)
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
        if (event.type === 'range' && event.toBlock === 40) chain.fork(10, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
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
