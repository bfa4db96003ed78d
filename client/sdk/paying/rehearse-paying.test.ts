import { exampleTrack } from '@hexachord/protocol/vectors'
import { expect, test } from '@jest/globals'
import {
  connectionTo,
  mapPurseMemory,
  operatorOf,
  purseAt,
  serveOperators,
  startTill,
  subject,
  unitPrice,
} from '../fixtures/index.ts'
import { emptyState, noLimit, rehearsePaying } from './index.ts'

test('a rehearsal meets the home nodes of a purse, and spends nothing of it', async () => {
  const { track, blocks } = await exampleTrack()
  const till = await startTill({ blocks, track, subject, unitPrice })
  const discovery = await serveOperators([operatorOf(till)])
  try {
    const memory = mapPurseMemory({ ...emptyState(), homes: [till.operator] })
    const purse = await purseAt(discovery, { memory, homes: 1 })
    const before = await purse.state()
    await rehearsePaying(purse)
    expect(till.requests).toEqual(['GET /pay/offer'])
    expect([memory.state, memory.kept]).toEqual([before, []])
  } finally {
    await till.close()
    await discovery.close()
  }
})

test('a rehearsal leaves alone the budget that is set while it waits for nodes', async () => {
  const { track, blocks } = await exampleTrack()
  const till = await startTill({ blocks, track, subject, unitPrice })
  const discovery = await serveOperators([operatorOf(till)])
  try {
    const memory = mapPurseMemory({ ...emptyState(noLimit), homes: [till.operator] })
    const budget = { perHour: 5n, perMonth: 50n }
    const elsewhere = await purseAt(discovery, { memory })
    const connection = connectionTo({
      discovery: discovery.origin,
      async http(url, init) {
        await elsewhere.setBudget(budget)
        return fetch(url, init)
      },
    })
    await rehearsePaying(await purseAt(discovery, { memory, connection, homes: 1 }))
    expect(memory.state.budget).toEqual(budget)
  } finally {
    await till.close()
    await discovery.close()
  }
})
