import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { type IndexedChain, startIndexedChain } from '../../fixtures/indexed-chain.ts'

jest.setTimeout(60_000)

const blockMs = 1_000
const blocks = 15

let world: IndexedChain
beforeAll(async () => {
  world = await startIndexedChain()
})
afterAll(() => world.close())

test('what a block says can be read before the next one comes', async () => {
  // As it is by default: the pace of looking is learnt from the blocks.
  world.startWriter({ pollMs: undefined })
  await world.act(4)
  await world.caughtUp()
  const latenciesMs: number[] = []
  for (let block = 0; block < blocks; block++) {
    const startedAt = performance.now()
    const hash = await world.send()
    await world.chain.anvil.mine()
    const minedAt = performance.now()
    for (;;) {
      const { rows } = await world.database.postgres.query('SELECT 1 FROM action WHERE hash = $1', [hash])
      if (rows.length > 0) break
      await delay(10)
    }
    latenciesMs.push(performance.now() - minedAt)
    // Blocks come at their time, wherever in its round of looking the indexer is.
    await delay(Math.max(0, blockMs - (performance.now() - startedAt) + (block % 4) * 60))
  }
  const sorted = latenciesMs.toSorted((left, right) => left - right)
  expect(sorted[Math.floor(blocks / 2)]).toBeLessThan(blockMs / 2)
  expect(sorted.at(-1)).toBeLessThan(blockMs)
})
