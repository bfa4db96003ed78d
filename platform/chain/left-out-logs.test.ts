import { describe, expect, test } from '@jest/globals'
import { createBloomDoubt } from './bloom-doubt.ts'
import type { ChainLog } from './chain-values.ts'
import { follow, grow } from './testing/following.ts'
import { createEventIndex } from './testing/index-of-events.ts'
import { createSimulatedChain, type SimulatedChain } from './testing/simulated-chain.ts'

const contract = `0x${'ab'.repeat(20)}`
const full = `0x${'ff'.repeat(256)}`
const empty = `0x${'00'.repeat(256)}`

/** Gives the heads of a chain bloom filters. */
function withBlooms(chain: SimulatedChain, bloomOf: (number: number) => string): void {
  const { blocks } = chain.reader
  chain.reader.blocks = async (numbers) =>
    (await blocks(numbers)).map((block) => block && { ...block, logsBloom: bloomOf(block.number) })
}

/** A node that answers so often that a block has no logs. */
function leaveOut(chain: SimulatedChain, number: number, times: number): { asked: number } {
  const { logsOfBlocks } = chain.reader
  const told = { asked: 0 }
  chain.reader.logsOfBlocks = async (filter) => {
    const answers = await logsOfBlocks(filter)
    return answers.map((logs, index) => {
      if (filter.blockHashes[index] !== chain.blocks()[number]?.hash) return logs
      told.asked += 1
      return told.asked <= times ? [] : logs
    })
  }
  return told
}

async function followed(blocks: number, logs = 1) {
  const chain = createSimulatedChain()
  grow(chain, blocks, logs)
  const index = createEventIndex(1)
  await follow(chain, index, { addresses: [contract] })
  return { chain, index }
}

describe('a follower, for a block of which no logs came,', () => {
  test.each([1, 2, 3])(
    'asks again where its bloom filter may have some, and finds what came empty %i times',
    async (times) => {
      const { chain, index } = await followed(20)
      withBlooms(chain, () => full)
      grow(chain, 1)
      const told = leaveOut(chain, 21, times)
      await follow(chain, index, { addresses: [contract] })
      expect(index.logs()).toEqual(chain.logs(1))
      expect(told.asked).toBe(times + 1)
    },
  )

  test('goes on after a while where the filter is full of what others logged', async () => {
    const { chain, index } = await followed(20)
    withBlooms(chain, () => full)
    grow(chain, 1, 0)
    const told = leaveOut(chain, 21, 0)
    await follow(chain, index, { addresses: [contract] })
    expect(index.reached()).toBe(21)
    expect(told.asked).toBe(4)
  })

  test('asks again only once where nearly every filter is full, and of final blocks not at all', async () => {
    const chain = createSimulatedChain()
    grow(chain, 40, 0)
    withBlooms(chain, () => full)
    const [first, final, last] = [1, 31, 40].map((number) => leaveOut(chain, number, 0))
    await follow(chain, createEventIndex(1), { addresses: [contract], maxRangeBlocks: 1 })
    expect([first, final, last].map((told) => told?.asked)).toEqual([1, 0, 2])
  })

  test.each([
    ['excludes it', empty],
    ['is no bloom filter', `0x${'zz'.repeat(256)}`],
  ])('asks no more where what it has for a bloom filter %s', async (_, bloom) => {
    const { chain, index } = await followed(20)
    withBlooms(chain, () => bloom)
    grow(chain, 1, 0)
    const told = leaveOut(chain, 21, 0)
    await follow(chain, index, { addresses: [contract] })
    expect(told.asked).toBe(1)
  })

  test('takes logs although the filter of their block has none, as on chains without', async () => {
    const { chain, index } = await followed(20)
    withBlooms(chain, () => empty)
    grow(chain, 1)
    await follow(chain, index, { addresses: [contract] })
    expect(index.logs()).toEqual(chain.logs(1))
  })

  test('asks for a range of final blocks again, when its last block turns out to have some', async () => {
    const chain = createSimulatedChain()
    grow(chain, 100)
    withBlooms(chain, () => full)
    const { logs } = chain.reader
    let answers = 0
    chain.reader.logs = async (filter) => {
      answers += 1
      return answers <= 2 ? [] : logs(filter)
    }
    const index = createEventIndex(1)
    await follow(chain, index, { addresses: [contract] })
    expect(index.logs()).toEqual(chain.logs(1))
  })

  test('believes a range of final blocks whose last block has none by its hash either', async () => {
    const chain = createSimulatedChain()
    grow(chain, 100, 0)
    withBlooms(chain, (number) => (number <= 92 ? full : empty))
    const index = createEventIndex(1)
    await follow(chain, index, { addresses: [contract] })
    expect(chain.asked.logs).toBe(1)
    expect(chain.asked.logsOfBlocks).toBe(2)
  })
})

describe('a doubt', () => {
  const log = (topics: string[]): ChainLog => ({
    ...{ address: contract, topics, data: '0x', blockNumber: 1, blockHash: '0x', blockTimestamp: null },
    ...{ transactionHash: '0x', transactionIndex: 0, logIndex: 0 },
  })
  const topic = `0x${'01'.repeat(32)}`
  const other = `0x${'02'.repeat(32)}`

  test('is there as long as one of the requests came back with nothing', () => {
    const doubt = createBloomDoubt({
      addresses: [],
      narrowed: [{ address: contract, topics: [null, topic] }],
    })
    expect(doubt.isDoubtful(full, [])).toBe(true)
    expect(doubt.isDoubtful(full, [log([other, other])])).toBe(true)
    expect(doubt.isDoubtful(full, [log([other, topic])])).toBe(false)
    expect(createBloomDoubt({ addresses: [] }).isDoubtful(full, [])).toBe(false)
  })

  test('is not there without a bloom filter', () => {
    expect(createBloomDoubt({ addresses: [contract] }).isDoubtful(undefined, [])).toBe(false)
  })

  test('is telling again once most blocks give rise to none', () => {
    const doubt = createBloomDoubt({ addresses: [contract] })
    for (let block = 0; block < 40; block += 1) doubt.settle(true)
    expect(doubt.isTelling).toBe(false)
    doubt.settle(false)
    expect(doubt.isTelling).toBe(true)
  })
})
