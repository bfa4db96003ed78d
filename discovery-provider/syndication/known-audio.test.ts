import { FetchTimeout, type GuardedFetch } from '@hexachord/platform/http'
import { cidOf } from '@hexachord/protocol/cids'
import type { Address } from '@hexachord/protocol/names'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { describe, expect, test } from '@jest/globals'
import { createAudioKnowledge } from './known-audio.ts'

const { track, blocks } = await exampleTrack({ original: true })
const holders = [1, 2].map((n) => ({
  operator: `0x${`0${n}`.repeat(20)}` as Address,
  endpoint: `https://node-${n}.example/`,
}))
const asked = { manifest: track.cid, holders }

/** Nodes that give blocks, wrong ones, or nothing. */
function setting(nodes: Record<string, 'honest' | 'lying' | 'away'>) {
  const urls: string[] = []
  let nowMs = 0
  const fetch: GuardedFetch = Object.assign(
    async (input: string | URL | Request) => {
      const { hostname, pathname } = new URL(String(input))
      urls.push(String(input))
      const node = nodes[hostname.split('.')[0] ?? '']
      if (node === 'away') throw new FetchTimeout('late')
      const bytes =
        node === 'lying' ? new TextEncoder().encode('{}') : blocks.get(pathname.split('/')[2] ?? '')
      return new Response(bytes === undefined ? null : Buffer.from(bytes), { status: bytes ? 200 : 404 })
    },
    { close: async () => {} },
  )
  const knowledge = createAudioKnowledge({ fetch, now: () => nowMs })
  return { knowledge, urls, nodes, pass: (ms: number) => (nowMs += ms) }
}

describe('what a manifest says', () => {
  test('is how long each file is, which is the usual one, and what the artist sent', async () => {
    const { knowledge } = setting({ 'node-1': 'honest', 'node-2': 'honest' })
    const [known] = await knowledge.of([asked])
    const index = 32 + 4 * 12
    expect(known?.files.map(({ name, byteLength }) => [name, byteLength])).toEqual([
      ['flac', 701 + index + 2048 + 2049 + 2047 + 2049],
      ['aac-320', 702 + index + 1024 + 1023 + 255 + 1024],
      ['aac-160', 703 + index + 512 + 513 + 511 + 1],
    ])
    expect(known?.usual.name).toBe('aac-320')
    expect(known?.cover).toMatchObject({ width: 600, type: 'image/jpeg' })
    expect(known?.original).toMatchObject({ byteLength: 2148, type: 'audio/flac' })
    expect(known?.manifestBytes).toBe(track.byteLength)
  })

  test('is believed of nobody, and asked for once', async () => {
    const { knowledge, urls } = setting({ 'node-1': 'lying', 'node-2': 'honest' })
    const [one, two] = await knowledge.of([asked, asked])
    expect(one).toBeDefined()
    expect(two).toBe(one)
    const count = urls.length
    await knowledge.of([asked])
    expect(urls).toHaveLength(count)
    expect(await setting({ 'node-1': 'lying', 'node-2': 'lying' }).knowledge.of([asked])).toEqual([undefined])
  })

  test('is not known while no holder tells it, who are asked again after a while', async () => {
    const { knowledge, nodes, pass, urls } = setting({ 'node-1': 'away', 'node-2': 'away' })
    expect(await knowledge.of([asked])).toEqual([undefined])
    nodes['node-1'] = 'honest'
    const before = urls.length
    expect(await knowledge.of([asked])).toEqual([undefined])
    expect(urls).toHaveLength(before)
    pass(31_000)
    expect(await knowledge.of([asked])).not.toEqual([undefined])
  })

  test('of a long list is read bit by bit: the first tracks for who asks first', async () => {
    const { knowledge, urls } = setting({ 'node-1': 'away', 'node-2': 'away' })
    const list = await Promise.all(
      Array.from({ length: 450 }, async (_, place) => ({
        ...{ manifest: await cidOf(new TextEncoder().encode(`track ${place}`), 'dag-json'), holders },
      })),
    )
    const read = () => new Set(urls.map((url) => new URL(url).pathname.split('/')[2])).size
    expect(await knowledge.of(list)).toHaveLength(450)
    expect(read()).toBe(300)
    await knowledge.of(list)
    expect(read()).toBe(450)
  })
})
