import type { Hash } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { compareHistories, type ServedBlock } from './compare-histories.ts'

const firstBlock = 10

const hash = (text: string | number): Hash =>
  `0x${Buffer.from(String(text)).toString('hex').padStart(64, '0')}`

/** A provider whose state hashes change in blocks with logs, and which is another one from some block on.
 * @param fork from which block on it stands on other blocks */
function provider(logs: readonly number[], { wrongFrom = Infinity, fork = Infinity } = {}) {
  const asked: number[] = []
  const read = async (block: number): Promise<ServedBlock> => {
    asked.push(block)
    const last = logs.findLast((number) => number <= block) ?? 0
    return {
      hash: hash(`${block} ${block >= fork}`),
      stateHash: hash(`${last} ${last >= wrongFrom} ${last >= fork}`),
    }
  }
  return { read, asked }
}

const logBlocks = fc
  .uniqueArray(fc.integer({ min: firstBlock, max: 5_000 }), { minLength: 1, maxLength: 50 })
  .map((blocks) => blocks.sort((one, other) => one - other))

describe('two histories', () => {
  test('agree at the newest common block, for the price of one look', async () => {
    const [ours, theirs] = [provider([12, 20]), provider([12, 20])]
    const compared = compareHistories({
      ours: ours.read,
      theirs: theirs.read,
      firstBlock,
      head: 30,
      finalized: 26,
    })
    expect(await compared).toEqual({ outcome: 'agrees', block: 30 })
    expect(theirs.asked).toEqual([30])
  })

  test('part in the first block whose state hash differs, found in few looks', () =>
    fc.assert(
      fc.asyncProperty(logBlocks, fc.nat(), async (logs, dice) => {
        const wrongFrom = logs[dice % logs.length] ?? 0
        const [ours, theirs] = [provider(logs), provider(logs, { wrongFrom })]
        const places = { firstBlock, head: 5_000, finalized: 4_990 }
        const compared = await compareHistories({ ours: ours.read, theirs: theirs.read, ...places })
        expect(compared).toEqual({ outcome: 'diverges', block: wrongFrom })
        expect(theirs.asked.length).toBeLessThanOrEqual(15)
      }),
    ))

  test('on two forks agree up to the newest final block', async () => {
    const [ours, theirs] = [provider([12, 28]), provider([12, 28], { fork: 27 })]
    const places = { firstBlock, head: 30, finalized: 26 }
    expect(await compareHistories({ ours: ours.read, theirs: theirs.read, ...places })).toEqual({
      outcome: 'agrees',
      block: 26,
    })
  })

  test('that have nothing yet agree', async () => {
    const { read } = provider([])
    const places = { firstBlock, head: 9, finalized: 9 }
    expect(await compareHistories({ ours: read, theirs: read, ...places })).toEqual({
      outcome: 'agrees',
      block: 9,
    })
  })
})
