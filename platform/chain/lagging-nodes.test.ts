import { describe, expect, test } from '@jest/globals'
import { findCommonBlock, MalformedAnswer, ReorgTooDeep } from './index.ts'
import { finalityBlocks, follow, grow, settled } from './testing/following.ts'
import { createEventIndex } from './testing/index-of-events.ts'
import { createSimulatedChain, type SimulatedChain } from './testing/simulated-chain.ts'

const otherHash = `0x${'ee'.repeat(32)}`

/** As behind a balancer: what the newest block is comes from one node, blocks by number from another that lags.
 * @param answers how many of its answers are late */
function lag(chain: SimulatedChain, blocksBehind: number, answers: number): { late: number } {
  const { blocks, fateOf } = chain.reader
  const told = { late: 0 }
  chain.reader.fateOf = async (block) =>
    told.late < answers && block.number > chain.head() - blocksBehind ? 'unknown' : fateOf(block)
  chain.reader.blocks = async (numbers) => {
    const has = chain.head() - (told.late < answers ? blocksBehind : 0)
    told.late += 1
    return (await blocks(numbers)).map((block) => (block === null || block.number > has ? null : block))
  }
  return told
}

async function followed(blocks: number) {
  const chain = createSimulatedChain()
  grow(chain, blocks)
  const index = createEventIndex(1)
  await follow(chain, index)
  return { chain, index }
}

const reorgs = ({ events }: ReturnType<typeof createEventIndex>) =>
  events.flatMap((event) => (event.type === 'reorg' ? [event.toBlock] : []))

describe('followChain, when blocks by number come from a node that lags behind the one of the head,', () => {
  test.each([
    ['by one block', 1],
    ['by less than finality', 3],
    ['by all that is not final', finalityBlocks],
    ['by more than finality', finalityBlocks + 5],
  ])('%s, waits for it and takes nothing for replaced', async (_, behind) => {
    const { chain, index } = await followed(30)
    grow(chain, 1)
    const told = lag(chain, behind, 3)
    await follow(chain, index)
    expect(reorgs(index)).toEqual([])
    expect(told.late).toBeGreaterThan(3)
  })

  test('for longer than it asks again at once, keeps its place and comes back to it', async () => {
    const { chain, index } = await followed(30)
    grow(chain, 1)
    const { head } = chain.reader
    let heads = 0
    chain.reader.head = () => {
      heads += 1
      return head()
    }
    lag(chain, 12, 6)
    await follow(chain, index)
    expect(reorgs(index)).toEqual([])
    expect(heads).toBeGreaterThan(1)
  })

  test('asks again a few times before it looks at the head anew', async () => {
    const { chain, index } = await followed(30)
    grow(chain, 1)
    lag(chain, 1, 2)
    const before = chain.asked.head ?? 0
    await follow(chain, index)
    expect(chain.asked.head).toBe(before + 1)
  })

  test('finds a reorganisation to a shorter chain at the first look', async () => {
    const { chain, index } = await followed(30)
    chain.fork(4, [1, 1])
    const before = chain.asked.head ?? 0
    await follow(chain, index)
    expect(reorgs(index)).toEqual([26])
    expect((chain.asked.head ?? 0) - before).toBeLessThan(4)
  })

  test('takes back no more than was replaced', async () => {
    const { chain, index } = await followed(30)
    chain.fork(2, [1, 0, 1])
    const before = chain.asked.blocks ?? 0
    const { blocks } = chain.reader
    // The parent is told; then, as the common block is looked for, a node answers that has neither it nor the one before.
    chain.reader.blocks = async (numbers) =>
      (await blocks(numbers)).map((block) =>
        chain.asked.blocks === before + 2 && (block?.number ?? 0) > 27 ? null : block,
      )
    await follow(chain, index)
    expect(reorgs(index)).toEqual([28])
  })

  test('in the middle of the past, waits', async () => {
    const chain = createSimulatedChain()
    grow(chain, 100)
    const index = createEventIndex(1)
    await follow(chain, index, {
      maxRangeBlocks: 20,
      until: () => index.reached() === 40,
    })
    lag(chain, 70, 2)
    await follow(chain, index, { maxRangeBlocks: 20 })
    expect(settled(chain, index)).toBe(true)
    expect(reorgs(index)).toEqual([])
  })
})

describe('a node that has another block in place of a final one', () => {
  test('for a moment, as one of several behind a balancer may, is asked again', async () => {
    const { chain, index } = await followed(30)
    grow(chain, 1)
    const { blocks, fateOf } = chain.reader
    let wrong = 2
    chain.reader.blocks = async (numbers) => {
      wrong -= 1
      return (await blocks(numbers)).map(
        (block) => block && { ...block, hash: wrong >= 0 ? otherHash : block.hash },
      )
    }
    chain.reader.fateOf = async (block) => (wrong >= 0 ? 'replaced' : fateOf(block))
    await follow(chain, index)
    expect(reorgs(index)).toEqual([])
  })

  test.each(['kept', 'unknown'] as const)('ends nothing while the block is %s elsewhere', async (fate) => {
    const { chain, index } = await followed(30)
    const known = await index.known()
    const reader = {
      ...chain.reader,
      blocks: async (numbers: readonly number[]) =>
        (await chain.reader.blocks(numbers)).map((block) => block && { ...block, hash: otherHash }),
      fateOf: async () => fate,
    }
    const search = findCommonBlock({ reader, known, startBlock: 1, floor: 22 })
    await expect(search).rejects.toThrow(MalformedAnswer)
  })

  test('and so has every other, ends it, and says what was there, what is, and where to look', async () => {
    const { chain, index } = await followed(30)
    const known = await index.known()
    chain.fork(
      20,
      Array.from({ length: 30 }, () => 1),
    )
    const search = findCommonBlock({ reader: chain.reader, known, startBlock: 1, floor: 22 })
    const failure = await search.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ReorgTooDeep)
    const { message } = failure as Error
    expect(message).toContain(
      `block 22 was ${known.at(-1)?.hash} and final, and is ${chain.blocks()[22]?.hash} now`,
    )
    expect(message.indexOf('Look first at the nodes')).toBeLessThan(message.indexOf('rebuild the index'))
    expect(chain.asked.fateOf).toBeGreaterThan(2)
  })
})
