import { CidError, cidOf } from '@hexachord/protocol/cids'
import { describe, expect, test } from '@jest/globals'
import type { MissingBlock, PinnedSize } from '../ipfs-node.ts'
import {
  freshNode,
  gather,
  type IpfsNodeFactory,
  listOf,
  putList,
  putSample,
  sampleBytes,
} from './subject.ts'

export function pinningSuite(factory: IpfsNodeFactory): void {
  describe('pinning', () => {
    const given = freshNode(factory)

    test('pins a root with all that it links to, each block counted once', async () => {
      const { node } = given
      const shared = await putSample(node, 'shared', 100)
      const inner = await putList(node, [shared, await putSample(node, 'leaf', 100)])
      const root = await putList(node, [shared, inner, shared])
      const progress: PinnedSize[] = []
      const size = await node.pin(root, { onProgress: (soFar) => progress.push(soFar) })
      expect(size.blocks).toBe(4)
      expect(size.bytes).toBe(200 + (await node.size(inner)) + (await node.size(root)))
      expect(progress.map(({ blocks }) => blocks)).toEqual([1, 2, 3, 4])
      expect(progress.at(-1)).toEqual(size)
      expect(await node.isPinned(root)).toBe(true)
      expect(await node.isPinned(inner)).toBe(false)
      expect(await gather(node.pins())).toEqual([root])
    })

    test('pins a single raw block', async () => {
      const cid = await putSample(given.node, 'alone', 100)
      expect(await given.node.pin(cid)).toEqual({ blocks: 1, bytes: 100 })
      expect(await given.node.isPinned(cid)).toBe(true)
    })

    test('pins nothing of a root that is not complete, and names the first block that is missing', async () => {
      const { node } = given
      const late = await cidOf(sampleBytes('late'), 'raw')
      const later = await cidOf(sampleBytes('later'), 'raw')
      const early = await putSample(node, 'early')
      const inner = await putList(node, [early, late])
      const root = await putList(node, [inner, later])
      const failure: Partial<MissingBlock> = { name: 'MissingBlock', root, cid: late }
      await expect(node.pin(root)).rejects.toMatchObject(failure)
      expect(await node.isPinned(root)).toBe(false)
      await node.put(sampleBytes('late'), 'raw')
      await expect(node.pin(root)).rejects.toMatchObject({ cid: later })
      await node.put(sampleBytes('later'), 'raw')
      expect(await node.pin(root)).toMatchObject({ blocks: 5 })
    })

    test('names the root itself when that is missing', async () => {
      const root = await cidOf(listOf([]), 'dag-json')
      await expect(given.node.pin(root)).rejects.toMatchObject({ name: 'MissingBlock', root, cid: root })
    })

    test('does not pin a dag-json block that is not DAG-JSON', async () => {
      const root = await given.node.put(new TextEncoder().encode('{"not":'), 'dag-json')
      await expect(given.node.pin(root)).rejects.toThrow(CidError)
      expect(await given.node.isPinned(root)).toBe(false)
    })

    test('pinning twice is pinning once', async () => {
      const { node } = given
      const root = await putList(node, [await putSample(node, 'leaf')])
      expect(await node.pin(root)).toEqual(await node.pin(root))
      expect(await gather(node.pins())).toEqual([root])
      expect(await node.unpin(root)).toBe(true)
      expect(await node.isPinned(root)).toBe(false)
      expect(await node.unpin(root)).toBe(false)
    })

    test('lists more pins than fit into one page', async () => {
      const { node } = given
      const roots = await Promise.all(
        Array.from({ length: 300 }, (_, index) => putSample(node, `root ${index}`, 10)),
      )
      for (const root of roots) await node.pin(root)
      expect((await gather(node.pins())).sort()).toEqual(roots.sort())
    })

    test('keeps a shared block when one of two roots was let go, pinned again and the other let go', async () => {
      const { node } = given
      const shared = await putSample(node, 'in both')
      const first = await putList(node, [shared, await putSample(node, 'only in the first')])
      const second = await putList(node, [shared, await putSample(node, 'only in the second')])
      await node.pin(first)
      await node.pin(second)
      await node.unpin(first)
      await node.pin(first)
      await node.unpin(second)
      await node.collect({ graceMs: 0 })
      expect(await node.has(shared)).toBe(true)
      expect(await node.pin(first)).toMatchObject({ blocks: 3 })
      expect(await node.has(second)).toBe(false)
      expect(await node.usage()).toMatchObject({ blocks: 3 })
    })

    test('stops when it is told to, and has pinned nothing', async () => {
      const { node } = given
      const root = await putList(node, [await putSample(node, 'one'), await putSample(node, 'two')])
      const stop = new AbortController()
      const pinning = node.pin(root, {
        signal: stop.signal,
        onProgress: ({ blocks }) => {
          if (blocks === 2) stop.abort(new Error('enough'))
        },
      })
      await expect(pinning).rejects.toThrow('enough')
      expect(await node.isPinned(root)).toBe(false)
    })
  })
}
