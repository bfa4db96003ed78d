import { FetchTimeout, type GuardedFetch, type GuardedRequestInit } from '@hexachord/platform/http'
import type { Address } from '@hexachord/protocol/names'
import type { Holder } from '@hexachord/protocol/rest'
import { describe, expect, test } from '@jest/globals'
import { createLiveHolders } from './live-holders.ts'

const holders = [1, 2, 3].map(
  (n): Holder => ({
    operator: `0x${`0${n}`.repeat(20)}` as Address,
    endpoint: `https://node-${n}.example`,
  }),
)

/** Nodes that answer by name: true at once, false with 404, an error at once, `never` not at all. */
function setting(nodes: Record<string, boolean | Error | 'never'>) {
  const asked: string[] = []
  let nowMs = 0
  let dice = 0
  const fetch: GuardedFetch = Object.assign(
    async (input: string | URL | Request, init?: GuardedRequestInit): Promise<Response> => {
      expect(init).toMatchObject({ method: 'HEAD', timeoutMs: 1500 })
      asked.push(String(input))
      const answer = nodes[new URL(String(input)).hostname.split('.')[0] ?? '']
      if (answer === 'never') return new Promise<Response>(() => {})
      if (answer instanceof Error) throw answer
      return new Response(null, { status: answer ? 200 : 404 })
    },
    { close: async () => {} },
  )
  const live = createLiveHolders({ fetch, now: () => nowMs, random: () => (dice += 0.1) })
  return {
    asked,
    find: async () => (await live.find('bafyManifest', holders))?.endpoint,
    notAway: () => live.notAway('bafyManifest', holders).map(({ endpoint }) => endpoint),
    pass: (ms: number) => {
      nowMs += ms
    },
    nodes,
  }
}

describe('a live holder', () => {
  test('is one that has the manifest itself', async () => {
    const { find, asked } = setting({ 'node-1': false, 'node-2': new FetchTimeout('late'), 'node-3': true })
    expect(await find()).toBe('https://node-3.example')
    expect(asked[0]).toBe('https://node-1.example/ipfs/bafyManifest?format=raw')
  })

  test('is found without waiting for those that hang', async () => {
    const { find } = setting({ 'node-1': 'never', 'node-2': true, 'node-3': 'never' })
    expect(await find()).toBe('https://node-2.example')
  })

  test('is nobody when none answers', async () => {
    const away = new FetchTimeout('late')
    expect(await setting({ 'node-1': away, 'node-2': away, 'node-3': false }).find()).toBeUndefined()
  })

  test('is believed for a while; one that was away is asked again sooner', async () => {
    const { find, asked, pass, nodes } = setting({ 'node-1': false, 'node-2': true, 'node-3': false })
    await find()
    expect(asked).toHaveLength(3)
    nodes['node-1'] = true
    expect(await find()).toBe('https://node-2.example')
    expect(asked).toHaveLength(3)
    pass(6_000)
    await find()
    expect(asked).toHaveLength(5)
    nodes['node-2'] = false
    pass(10_000)
    expect(await find()).toBe('https://node-1.example')
  })

  test('is asked once however many listeners come at the same time', async () => {
    const { find, asked } = setting({ 'node-1': true, 'node-2': true, 'node-3': true })
    await Promise.all([find(), find(), find(), find()])
    expect(asked).toHaveLength(3)
  })

  test('has others beside it, those left out that are known to be away', async () => {
    const { find, notAway, pass, asked } = setting({ 'node-1': false, 'node-2': 'never', 'node-3': true })
    const all = holders.map(({ endpoint }) => endpoint)
    expect(notAway()).toEqual(all)
    await find()
    expect(notAway()).toEqual(all.slice(1))
    pass(6_000)
    expect(notAway()).toEqual(all)
    expect(asked).toHaveLength(3)
  })

  test('fails loudly for a mistake of ours', async () => {
    const broken = new TypeError('a mistake')
    await expect(setting({ 'node-1': broken, 'node-2': broken, 'node-3': broken }).find()).rejects.toThrow(
      'a mistake',
    )
  })
})
