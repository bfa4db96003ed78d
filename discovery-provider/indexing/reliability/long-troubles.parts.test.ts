import { setTimeout as delay } from 'node:timers/promises'
import { createChainReader } from '@hexachord/platform/chain'
import { type Fault, type FaultProxy, startFaultProxy } from '@hexachord/platform/chain/testing'
import { rulesOf } from '@hexachord/protocol/catalogue'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../../fixtures/database.ts'
import { eventually } from '../../fixtures/eventually.ts'
import { expectAsFromScratch } from '../../fixtures/fresh-index.ts'
import { errorOf, type IndexedChain, limitRanges, startIndexedChain } from '../../fixtures/indexed-chain.ts'
import { readCheckpoint } from '../checkpoint.ts'

// Half a minute of trouble, what is waited for after it, and eight databases.
jest.setTimeout(240_000)

const troubleMs = 30_000

const troubles: Record<string, Fault> = {
  '429': { status: 429, body: 'slow down' },
  '502': { status: 502, body: '<html>Bad Gateway</html>' },
  'errors of JSON-RPC': errorOf(-32603, 'internal error'),
  silence: 'silence',
}
const moments = ['in the backfill', 'at the head'] as const

type Case = {
  name: string
  moment: (typeof moments)[number]
  fault: Fault
  provider: FaultProxy
  database: TestDatabase
}

let world: IndexedChain
let fresh: TestDatabase
let cases: Case[]
beforeAll(async () => {
  world = await startIndexedChain()
  await world.act(20, 4)
  fresh = await createTestDatabase()
  cases = []
  for (const moment of moments) {
    for (const [name, fault] of Object.entries(troubles)) {
      const provider = await startFaultProxy(world.chain.anvil.url)
      cases.push({ name: `${name} ${moment}`, moment, fault, provider, database: await createTestDatabase() })
    }
  }
})
afterAll(async () => {
  await world.stopWriters()
  for (const { provider, database } of cases) {
    await provider.close()
    await database.drop()
  }
  await fresh.drop()
  await world.close()
})

const indexedBy = async ({ database }: Case) => (await readCheckpoint(database.postgres))?.indexed ?? 0

/** Eight indexes of one chain at once, so that their half minutes are one. */
test('a provider that gives 429, 502, errors or no answer at all for 30 s costs nothing but time, in the backfill and at the head', async () => {
  for (const one of cases) {
    await one.database.empty()
    if (one.moment === 'in the backfill') limitRanges(one.provider, 30, 'eth_getLogs is limited to 30 blocks')
    world.startWriter({ rpcUrls: [one.provider.url], postgres: one.database.postgres })
  }
  const well = new Map(cases.map(({ provider }) => [provider, provider.fault]))
  const startedAt = await world.head()
  await Promise.all(
    cases.map(async (one) => {
      const least = one.moment === 'in the backfill' ? 1 : startedAt
      await eventually(
        () => indexedBy(one),
        (indexed) => indexed >= least,
      )
      one.provider.fault = () => one.fault
    }),
  )
  const endsAt = performance.now() + troubleMs
  await world.act(3)
  const asked = new Map(cases.map(({ provider }) => [provider, requestsTo(provider)]))
  await delay(endsAt - performance.now())
  for (const { name, provider } of cases) {
    // It has gone on asking.
    expect([name, requestsTo(provider) > (asked.get(provider) ?? 0)]).toEqual([name, true])
    provider.fault = well.get(provider) ?? (() => undefined)
  }
  await world.act(1)
  const head = await world.head()
  await Promise.all(
    cases.map((one) =>
      eventually(
        () => indexedBy(one),
        (indexed) => indexed >= head,
        90_000,
      ),
    ),
  )
  const reader = createChainReader({ rpcUrls: [world.chain.anvil.url] })
  try {
    for (const { database } of cases) {
      const { network } = world
      await expectAsFromScratch({
        ...{ lived: database, fresh, reader, network },
        rules: rulesOf(world.chain.file),
      })
    }
  } finally {
    await reader.close()
  }
})

function requestsTo({ asked }: FaultProxy): number {
  return [...asked.values()].reduce((sum, times) => sum + times, 0)
}
