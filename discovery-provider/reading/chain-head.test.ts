import { describe, expect, test } from '@jest/globals'
import { watchChainHead } from './chain-head.ts'

function chain() {
  let number = 0
  let nowMs = 0
  let down = false
  const head = watchChainHead(
    {
      async head() {
        if (down) throw new Error('the node is away')
        number += 1
        return { number, hash: '0x', parentHash: '0x', timestamp: 0 }
      },
    },
    () => nowMs,
  )
  return {
    head,
    pass(ms: number) {
      nowMs += ms
    },
    goDown() {
      down = true
    },
  }
}

describe('the head of the chain', () => {
  test('is asked for once a second, however many ask', async () => {
    const { head, pass } = chain()
    const [first, second] = await Promise.all([head.current(), head.current()])
    expect([first.number, second.number]).toEqual([1, 1])
    pass(999)
    expect((await head.current()).number).toBe(1)
    pass(1)
    expect((await head.current()).number).toBe(2)
  })

  test('is remembered while the node is away, which is an error', async () => {
    const { head, pass, goDown } = chain()
    expect([head.lastSeen, head.lastSeenAtMs]).toEqual([undefined, undefined])
    pass(7)
    await head.current()
    goDown()
    pass(1_000)
    await expect(head.current()).rejects.toThrow('away')
    expect([head.lastSeen?.number, head.lastSeenAtMs]).toEqual([1, 7])
  })
})
