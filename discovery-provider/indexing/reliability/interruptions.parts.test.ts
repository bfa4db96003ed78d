import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeNetworkFile } from '@hexachord/contracts/networks'
import { openPostgres, type Postgres } from '@hexachord/platform/postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { quiet } from '../../fixtures/database.ts'
import { type DatabaseGate, startDatabaseGate } from '../../fixtures/database-gate.ts'
import { eventually } from '../../fixtures/eventually.ts'
import {
  holdRequest,
  type IndexedChain,
  limitRanges,
  startIndexedChain,
} from '../../fixtures/indexed-chain.ts'
import { type ProviderProcess, startProviderProcess } from '../../fixtures/provider-process.ts'

// Processes and a chain on a machine that does other things as well.
jest.setTimeout(120_000)

let world: IndexedChain
let gate: DatabaseGate
let folder: string
beforeAll(async () => {
  world = await startIndexedChain()
  folder = await mkdtemp(join(tmpdir(), 'hexachord-interrupted-'))
  await writeNetworkFile(join(folder, 'network.json'), world.chain.file)
  await world.act(20, 4)
})
beforeEach(async () => {
  await world.reset()
  limitRanges(world.provider, 20, 'eth_getLogs is limited to 20 blocks')
  gate = await startDatabaseGate(world.database.url)
})
afterEach(() => gate.close())
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await world.close()
})

/** The provider answers questions about this block and later ones when it is let go. */
function holdRangeFrom(block: number, longestMs?: number) {
  return holdRequest(
    world.provider,
    (method, params) =>
      method === 'eth_getLogs' && Number((params[0] as { fromBlock?: string }).fromBlock) >= block,
    longestMs,
  )
}

describe('an index is that of a fresh one after', () => {
  let postgres: Postgres
  beforeEach(() => {
    postgres = openPostgres({ url: gate.url, logger: quiet, max: 4 })
  })
  afterEach(async () => {
    await world.stopWriters()
    await postgres.close()
  })

  test('a restart of its database in the middle of the backfill', async () => {
    const held = holdRangeFrom(60)
    const writer = world.startWriter({ postgres })
    await held.reached
    expect(await world.indexed()).toBeLessThan(await world.head())
    await gate.shut()
    held.release()
    await eventually(() => writer.role === 'standby')
    await gate.open()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })

  test('a restart of its database at the head, while blocks go on', async () => {
    const writer = world.startWriter({ postgres })
    await world.caughtUp()
    await gate.shut()
    await world.act(2)
    await eventually(() => writer.role === 'standby')
    await gate.open()
    await world.act()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })

  test.each(['before', 'after'] as const)(
    'a commit that lost its connection %s the server had it',
    async (when) => {
      world.startWriter({ postgres })
      await eventually(async () => (await world.indexed()) > 0)
      const cut = gate.cutAtCommit(when)
      await world.act(2)
      await cut
      await world.caughtUp()
      await world.expectAsFromScratch()
    },
  )
})

describe('a process', () => {
  let running: ProviderProcess[]
  beforeEach(() => {
    running = []
  })
  afterEach(async () => {
    for (const provider of running) {
      provider.kill('SIGKILL')
      await provider.exited
    }
  })

  async function start(): Promise<ProviderProcess> {
    const provider = await startProviderProcess({
      ...{ RPC_URL: world.provider.url, NETWORK_FILE: join(folder, 'network.json'), DATABASE_URL: gate.url },
    })
    running.push(provider)
    return provider
  }

  test('that is killed with a transaction open, and then while it commits, goes on to the index of a fresh one', async () => {
    const first = await start()
    await world.caughtUp()
    const held = await world.holdCheckpoint()
    await world.act(2)
    await held.reached()
    const before = await world.indexed()
    first.kill('SIGKILL')
    await first.exited
    await held.release()
    expect(await world.indexed()).toBe(before)

    const cut = gate.cutAtCommit('after', () => second.kill('SIGKILL'))
    const second = await start()
    await cut
    await second.exited

    await start()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })

  test('that is killed in the middle of the backfill, with one range half written, goes on to the index of a fresh one', async () => {
    const held = holdRangeFrom(60, 5_000)
    const first = await start()
    await held.reached
    await eventually(async () => (await world.indexed()) > 0)
    const checkpoint = await world.holdCheckpoint()
    held.release()
    await checkpoint.reached()
    const before = await world.indexed()
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan((await world.head()) - 20)
    first.kill('SIGKILL')
    await first.exited
    await checkpoint.release()
    expect(await world.indexed()).toBe(before)

    await start()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })

  test('that is killed while it takes blocks back does so when it is started again', async () => {
    const first = await start()
    await world.act(3)
    await world.caughtUp()
    const before = await world.indexed()
    const checkpoint = await world.holdCheckpoint()
    await world.reorg(2)
    await checkpoint.reached()
    first.kill('SIGKILL')
    await first.exited
    expect(first.lines()).not.toContain('took blocks back after a reorganisation')
    await checkpoint.release()
    expect(await world.indexed()).toBe(before)
    const second = await start()
    await world.act()
    await world.caughtUp()
    expect(second.lines()).toContain('took blocks back after a reorganisation')
    await world.expectAsFromScratch()
  })

  test('that is asked to end in the middle of the backfill, its provider silent, ends in time and in order', async () => {
    const held = holdRangeFrom(60)
    const first = await start()
    await held.reached
    world.provider.fault = () => 'silence'
    const startedAt = performance.now()
    first.kill('SIGTERM')
    expect(await first.exited).toBe(0)
    expect(performance.now() - startedAt).toBeLessThan(15_000)
    expect(first.lines()).not.toContain('"level":"fatal"')
    world.provider.fault = () => undefined
    world.startWriter()
    await world.caughtUp()
    await world.expectAsFromScratch()
  })
})
