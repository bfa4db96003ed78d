import { exampleTrack } from '@hexachord/protocol/vectors'
import { expect, test } from '@jest/globals'
import {
  mapPurseMemory,
  operatorOf,
  purseAt,
  serveOperators,
  startTill,
  subject,
  unitPrice,
} from '../fixtures/index.ts'
import { emptyState, rehearsePaying } from './index.ts'

test('a rehearsal meets the home nodes of a purse, and spends nothing of it', async () => {
  const { track, blocks } = await exampleTrack()
  const till = await startTill({ blocks, track, subject, unitPrice })
  const discovery = await serveOperators([operatorOf(till)])
  try {
    const memory = mapPurseMemory({ ...emptyState(), homes: [till.operator] })
    const purse = await purseAt(discovery, { memory, homes: 1 })
    const before = memory.state
    await rehearsePaying(purse)
    expect(till.requests).toEqual(['GET /pay/offer'])
    expect([memory.state, memory.kept]).toEqual([before, []])
  } finally {
    await till.close()
    await discovery.close()
  }
})
