import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { eventually } from '../../fixtures/eventually.ts'
import {
  holdRequest,
  type IndexedChain,
  limitRanges,
  startIndexedChain,
} from '../../fixtures/indexed-chain.ts'

// A chain of its own on a machine that does other things as well.
jest.setTimeout(60_000)

let world: IndexedChain
beforeAll(async () => {
  world = await startIndexedChain()
  await world.act(10, 4)
})
beforeEach(() => world.reset())
afterAll(() => world.close())

const isLogsOfRange = (method: string, params: readonly unknown[]) =>
  method === 'eth_getLogs' && 'fromBlock' in Object(params[0])

async function actionsIndexed(): Promise<number> {
  return (await world.database.postgres.query('SELECT 1 FROM action')).rows.length
}

describe('an index is that of a fresh one after', () => {
  test('three reorganisations in a row, nobody waiting for it in between', async () => {
    world.startWriter()
    await world.caughtUp()
    const before = await actionsIndexed()
    for (let round = 0; round < 3; round++) {
      await world.act(3)
      await world.reorg(3)
      await world.act()
    }
    await world.caughtUp()
    // Those that the reorganisations removed are gone.
    expect(await actionsIndexed()).toBe(before + 3)
    await world.expectAsFromScratch()
  })

  test('a reorganisation of blocks that the backfill has not reached', async () => {
    limitRanges(world.provider, 20, 'eth_getLogs is limited to 20 blocks')
    await world.act(3)
    const held = holdRequest(
      world.provider,
      (method, params) =>
        isLogsOfRange(method, params) && Number((params[0] as { fromBlock: string }).fromBlock) > 30,
    )
    world.startWriter()
    await held.reached
    await world.reorg(3)
    await world.act(2)
    held.release()
    await world.caughtUp()
    expect(await world.reorgs()).toBe(0)
    await world.expectAsFromScratch()
  })

  test('a reorganisation between the last question of the backfill and the first about the head', async () => {
    const held = holdRequest(
      world.provider,
      (method, params) => method === 'eth_getLogs' && 'blockHash' in Object(params[0]),
    )
    await world.act(3)
    world.startWriter()
    await held.reached
    await world.reorg(3)
    await world.act(2)
    held.release()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })

  test('a reorganisation while the blocks that it replaces are written', async () => {
    world.startWriter()
    await world.caughtUp()
    const held = await world.holdCheckpoint()
    await world.act(2)
    await held.reached()
    await world.reorg(2)
    await held.release()
    await world.act()
    await world.caughtUp()
    expect(await world.reorgs()).toBeGreaterThan(0)
    await world.expectAsFromScratch()
  })

  test('a chain that was shorter for a while, its last blocks lost', async () => {
    world.startWriter()
    await world.act(3)
    await world.caughtUp()
    const before = await actionsIndexed()
    await world.chain.anvil.rpc('anvil_rollback', [3])
    const head = await world.head()
    await eventually(async () => (await world.indexed()) === head)
    expect(await actionsIndexed()).toBe(before - 3)
    // Past where it was, so that no more is final than a fresh index would say.
    await world.act(1, 4)
    await world.caughtUp()
    await world.expectAsFromScratch()
  })
})

describe('an index stops loudly', () => {
  test('when a chain that had lost final blocks has grown past them', async () => {
    await world.act(3)
    const writer = world.startWriter()
    await world.caughtUp()
    const stopped = expect(writer.finished).rejects.toThrow(/reorganised deeper than its finality/)
    await world.chain.anvil.rpc('anvil_rollback', [8])
    await world.act(1, 10)
    await stopped
  })
})
