import { cidOf } from '@hexachord/protocol/cids'
import { describe, expect, test } from '@jest/globals'
import { BlockNotFound, BlockUnavailable, NodeClosed } from '../ipfs-node.ts'
import {
  freshNode,
  gather,
  type IpfsNodeFactory,
  listOf,
  putList,
  putSample,
  sampleBytes,
} from './subject.ts'

export function enduringSuite(factory: IpfsNodeFactory): void {
  describe('over time and in trouble', () => {
    const given = freshNode(factory)

    test('a restart keeps blocks, pins, leases, sums and the peer id', async () => {
      const { node, subject } = given
      const root = await putList(node, [await putSample(node, 'leaf')])
      const leased = await putSample(node, 'leased')
      await node.pin(root)
      await node.protect([leased], Date.now() + 600_000)
      const usage = await node.usage()
      const again = await subject.restart()
      expect(again.peerId).toBe(node.peerId)
      expect(await again.usage()).toEqual(usage)
      expect(await gather(again.pins())).toEqual([root])
      expect(await again.collect({ graceMs: 0 })).toEqual({ removed: 0, bytes: 0 })
      expect(Buffer.compare(await again.get(leased), sampleBytes('leased'))).toBe(0)
    })

    test('a flipped bit is found, and the block is no longer had', async () => {
      const { node, subject } = given
      const cid = await putSample(node, 'rotten')
      const root = await putList(node, [cid])
      await node.pin(root)
      await subject.flipBit(cid)
      expect(await node.verify(cid)).toBe('corrupt')
      expect(await node.has(cid)).toBe(false)
      expect(await node.verify(cid)).toBe('missing')
      expect(await node.usage()).toMatchObject({ blocks: 1 })
      await expect(node.get(cid)).rejects.toThrow(BlockNotFound)
      await expect(node.pin(root)).rejects.toMatchObject({ name: 'MissingBlock', cid })
    })

    test('a reader is never given a flipped bit, and is told of it once', async () => {
      const { node, subject } = given
      const cid = await putSample(node, 'rotten')
      await subject.flipBit(cid)
      const missing = { name: 'BlockNotFound', cid }
      await expect(node.get(cid)).rejects.toMatchObject({ ...missing, wasDamaged: true })
      await expect(node.get(cid)).rejects.toMatchObject({ ...missing, wasDamaged: false })
      expect(await node.has(cid)).toBe(false)
    })

    test('a put mends a block that has rotted unseen, and its pin still holds it', async () => {
      const { node, subject } = given
      const cid = await putSample(node, 'rotten')
      await node.pin(cid)
      await subject.flipBit(cid)
      await putSample(node, 'rotten')
      expect(await node.verify(cid)).toBe('ok')
      await node.collect({ graceMs: 0 })
      expect(Buffer.compare(await node.get(cid), sampleBytes('rotten'))).toBe(0)
    })

    test('fetches what is here without asking anybody, and says when nobody can be asked', async () => {
      const cid = await putSample(given.node, 'here')
      expect(Buffer.compare(await given.node.fetch(cid), sampleBytes('here'))).toBe(0)
      const absent = await cidOf(sampleBytes('nowhere'), 'raw')
      await expect(given.node.fetch(absent)).rejects.toThrow(BlockUnavailable)
    })

    test('every call ends with the reason of a signal that was aborted before', async () => {
      const { node } = given
      const cid = await putSample(node, 'here')
      const signal = AbortSignal.abort(new Error('gone'))
      const calls = [
        node.put(sampleBytes('new'), 'raw', { signal }),
        node.putVerified(cid, sampleBytes('here'), { signal }),
        node.get(cid, { signal }),
        node.has(cid, { signal }),
        node.size(cid, { signal }),
        node.fetch(cid, { signal }),
        node.pin(cid, { signal }),
        node.unpin(cid, { signal }),
        node.isPinned(cid, { signal }),
        node.verify(cid, { signal }),
        node.usage({ signal }),
        node.check({ signal }),
        node.collect({ graceMs: 0, signal }),
        node.protect([cid], 0, { signal }),
        gather(node.pins({ signal })),
        gather(node.blocks({ signal })),
      ]
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ status: 'rejected', reason: { message: 'gone' } })
      }
    })

    test('a limit of time ends every call that waits for what does not answer, and then the node goes on', async () => {
      const { node, subject } = given
      const list = listOf([await putSample(node, 'leaf')])
      const root = await node.put(list, 'dag-json')
      const goOn = await subject.stall(root)
      const signal = AbortSignal.timeout(100)
      const calls = [
        node.get(root, { signal }),
        node.verify(root, { signal }),
        node.fetch(root, { signal }),
        node.pin(root, { signal }),
        node.put(list, 'dag-json', { signal }),
      ]
      const outcomes = await Promise.allSettled(calls)
      goOn()
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'TimeoutError' } })
      }
      expect(await node.verify(root)).toBe('ok')
      expect(await node.isPinned(root)).toBe(false)
      expect(await node.pin(root)).toMatchObject({ blocks: 2 })
    })

    test('who gives up on a put does not take it from others who put the same block', async () => {
      const { node } = given
      const stop = new AbortController()
      const bytes = sampleBytes('wanted by two', 200_000)
      const mine = node.put(bytes, 'raw', { signal: stop.signal })
      const yours = node.put(bytes, 'raw')
      stop.abort(new Error('changed my mind'))
      await expect(mine).rejects.toThrow('changed my mind')
      expect(await node.verify(await yours)).toBe('ok')
    })

    test('of many puts ended in their middle each is either done or says why, and the node goes on', async () => {
      const { node } = given
      const stop = new AbortController()
      const seeds = Array.from({ length: 40 }, (_, index) => `of many ${index}`)
      const outcomes = await Promise.allSettled(
        seeds.map(async (seed) => {
          const cid = await node.put(sampleBytes(seed, 20_000), 'raw', { signal: stop.signal })
          stop.abort(new Error('that will do'))
          return cid
        }),
      )
      const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
      expect(done.length).toBeGreaterThan(0)
      for (const cid of done) expect(await node.verify(cid)).toBe('ok')
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toEqual(new Error('that will do'))
      }
      for (const seed of seeds) expect(await node.verify(await putSample(node, seed, 20_000))).toBe('ok')
      expect(await node.usage()).toEqual({ blocks: 40, bytes: 800_000 })
    })

    test('a closed node says so, and closing twice is closing once', async () => {
      const { node } = given
      await node.check()
      const cid = await putSample(node, 'here')
      const last = node.put(sampleBytes('the last one'), 'raw')
      await Promise.all([node.close(), node.close()])
      expect(await last).toBe(await cidOf(sampleBytes('the last one'), 'raw'))
      await expect(node.get(cid)).rejects.toThrow(NodeClosed)
      await expect(node.check()).rejects.toThrow(NodeClosed)
      await expect(node.put(sampleBytes('too late'), 'raw')).rejects.toThrow(NodeClosed)
    })
  })
}
