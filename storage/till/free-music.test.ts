import { setTimeout } from 'node:timers/promises'
import { createMetrics } from '@hexachord/platform/process'
import { describe, expect, test } from '@jest/globals'
import { eventually } from '../ipfs/fixtures/eventually.ts'
import type { TillOptions } from './create-till.ts'
import { startTill, testNode } from './fixtures/index.ts'

describe('free music', () => {
  test('is given away at a rate, where its operator wants one', async () => {
    let now = Date.now()
    const slow = await startTill({ freeBytesPerSecond: 100, now: () => now })
    try {
      const init = `/ipfs/${slow.loaded.renditions[0]?.init.data['/']}`
      // Ten seconds' worth may come at once, and what goes beyond is paid off.
      expect([(await slow.get(init)).status, (await slow.get(init)).status]).toEqual([200, 200])
      const refused = await slow.get(init)
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '9'])
      now += 9_000
      expect((await slow.get(init)).status).toBe(200)
    } finally {
      await slow.close()
    }
  })

  test.each(['one file', 'a CAR'])(
    'as %s is given away at half of that rate, and costs what is sent of it',
    async (form) => {
      let now = Date.now()
      const sleep = async (ms: number) => {
        now += ms
      }
      const slow = await startTill({ freeBytesPerSecond: 1_000, now: () => now, sleep })
      try {
        slow.chain.terms.clear()
        const { manifest } = slow.track
        const path = form === 'a CAR' ? `/ipfs/${manifest}?format=car` : `/audio/${manifest}`
        const startedAt = now
        const first = await slow.get(path)
        const etag = first.headers.get('etag') ?? ''
        const { byteLength } = await first.arrayBuffer()
        expect([first.status, byteLength > 20_000]).toEqual([200, true])
        // Ten seconds' worth came at once.
        const seconds = (byteLength - 5_000) / 500
        expect((now - startedAt) / 1000).toBeCloseTo(seconds, 0)
        const endedAt = now
        // What sends nothing costs nothing.
        expect((await slow.get(path, { method: 'HEAD' })).status).toBe(200)
        expect((await slow.get(path, { headers: { 'if-none-match': etag } })).status).toBe(304)
        expect(now).toBe(endedAt)
        await (await slow.get(path)).arrayBuffer()
        expect((now - endedAt) / 1000).toBeCloseTo(byteLength / 500, 0)
      } finally {
        await slow.close()
      }
    },
  )

  test('is there for who asks for blocks while others download all they can, of whom only so many begin', async () => {
    const held = Promise.withResolvers<void>()
    const metrics = createMetrics('test')
    const slow = await startTill({ freeBytesPerSecond: 1_000, sleep: () => held.promise, metrics })
    try {
      slow.chain.terms.clear()
      const file = `/audio/${slow.track.manifest}`
      const first = await slow.get(file)
      const refused = await slow.get(file)
      expect([first.status, refused.status, refused.headers.get('retry-after')]).toEqual([200, 429, '10'])
      expect((await slow.get(`/ipfs/${slow.segment(0)}`)).status).toBe(200)
      held.resolve()
      expect((await first.arrayBuffer()).byteLength).toBeGreaterThan(20_000)
      expect((await slow.get(file, { headers: { range: 'bytes=0-0' } })).status).toBe(206)
    } finally {
      await slow.close()
    }
  })

  test('that somebody has begun to download and left makes room for the next', async () => {
    const slow = await startTill({ freeBytesPerSecond: 1_000, sleep: () => setTimeout(10) })
    try {
      slow.chain.terms.clear()
      const file = `/audio/${slow.track.manifest}`
      const leaving = new AbortController()
      await slow.get(file, { signal: leaving.signal })
      leaving.abort()
      const next = async () => (await slow.get(file, { headers: { range: 'bytes=0-0' } })).status
      await eventually(next, (status) => status === 206)
    } finally {
      await slow.close()
    }
  })

  test('and what is paid goes to nodes of the network without a limit, counted to the byte', async () => {
    const metrics = createMetrics('test')
    const peerOf: TillOptions['peerOf'] = ({ headers }) =>
      headers.authorization === 'a node' ? testNode : undefined
    const slow = await startTill({ freeBytesPerSecond: 1, peerOf, metrics })
    const fetched = async (path: string) => {
      const response = await slow.get(path, { headers: { authorization: 'a node' } })
      expect(response.status).toBe(200)
      return (await response.arrayBuffer()).byteLength
    }
    const counted = async (track: string) => {
      const text = await metrics.registry.metrics()
      const label = `track="${track}",operator="${testNode}"`
      const [, bytes] = new RegExp(`till_peer_bytes_total{[^}]*${label}[^}]*} (\\d+)`).exec(text) ?? []
      return Number(bytes)
    }
    try {
      const car = await fetched(`/ipfs/${slow.track.manifest}?format=car`)
      const block = await fetched(`/ipfs/${slow.segment(0)}`)
      expect(await counted('paid')).toBe(car + block)
      const init = `/ipfs/${slow.loaded.renditions[0]?.init.data['/']}`
      const blocks = [await fetched(init), await fetched(init), await fetched(init)]
      slow.chain.terms.clear()
      const wholes = [
        await fetched(`/audio/${slow.track.manifest}`),
        await fetched(`/ipfs/${slow.track.manifest}?format=car`),
      ]
      const free = [...blocks, ...wholes].reduce((sum, bytes) => sum + bytes, 0)
      expect(await counted('free')).toBe(free)
      expect(slow.till.peers()).toEqual([{ operator: testNode, paidBytes: car + block, freeBytes: free }])
      // They take nothing from what strangers may have.
      expect((await slow.get(init)).status).toBe(200)
    } finally {
      await slow.close()
    }
  })
})
