import { expect, test } from '@jest/globals'
import { rehearse } from './index.ts'

test('a rehearsal opens a whole track without the network', async () => {
  const asked: unknown[] = []
  const real = globalThis.fetch
  globalThis.fetch = async (input) => {
    asked.push(input)
    throw new Error('no network')
  }
  try {
    await rehearse()
    await rehearse()
  } finally {
    globalThis.fetch = real
  }
  expect(asked).toEqual([])
})
