import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { MissingBlock } from '../ipfs-node.ts'
import { freshNode, type IpfsNodeFactory, putList, putSample } from './subject.ts'

const leafSeeds = ['a', 'b', 'c', 'd', 'e']

export function collectingSuite(factory: IpfsNodeFactory, sequences: number): void {
  describe('collecting what nobody names', () => {
    const given = freshNode(factory)

    test('removes exactly the blocks that no pin names, and says how much that was', async () => {
      const { node } = given
      const kept = await putSample(node, 'kept')
      const root = await putList(node, [kept])
      await node.pin(root)
      const loose = [await putSample(node, 'loose', 300), await putSample(node, 'loose too', 400)]
      expect(await node.collect({ graceMs: 0 })).toEqual({ removed: 2, bytes: 700 })
      expect(await Promise.all([...loose, kept, root].map((cid) => node.has(cid)))).toEqual([
        false,
        false,
        true,
        true,
      ])
      expect(await node.collect({ graceMs: 0 })).toEqual({ removed: 0, bytes: 0 })
    })

    test('leaves young blocks alone, counted from when they were last put', async () => {
      const { node, subject } = given
      const cid = await putSample(node, 'young')
      expect(await node.collect({ graceMs: 60_000 })).toMatchObject({ removed: 0 })
      subject.passTime(50_000)
      await putSample(node, 'young')
      subject.passTime(50_000)
      expect(await node.collect({ graceMs: 60_000 })).toMatchObject({ removed: 0 })
      subject.passTime(20_000)
      expect(await node.collect({ graceMs: 60_000 })).toMatchObject({ removed: 1 })
      expect(await node.has(cid)).toBe(false)
    })

    test('leaves leased blocks alone until the lease runs out; a shorter lease does not shorten it', async () => {
      const { node, subject } = given
      const cid = await putSample(node, 'leased')
      const now = Date.now()
      await node.protect([cid], now + 60_000)
      await node.protect([cid], now + 1_000)
      subject.passTime(30_000)
      expect(await node.collect({ graceMs: 0 })).toMatchObject({ removed: 0 })
      subject.passTime(31_000)
      expect(await node.collect({ graceMs: 0 })).toMatchObject({ removed: 1 })
    })

    test('protects a block that comes only after the lease was made', async () => {
      const { node } = given
      const cid = await putSample(node, 'soon')
      await node.collect({ graceMs: 0 })
      await node.protect([cid], Date.now() + 60_000)
      await putSample(node, 'soon')
      expect(await node.collect({ graceMs: 0 })).toMatchObject({ removed: 0 })
    })

    test('stops when it is told to', async () => {
      await putSample(given.node, 'loose')
      const signal = AbortSignal.abort(new Error('not now'))
      await expect(given.node.collect({ graceMs: 0, signal })).rejects.toThrow('not now')
      expect(await given.node.usage()).toMatchObject({ blocks: 1 })
    })

    test('never takes a block from under a put or a pin that is under way', async () => {
      const { node } = given
      for (let round = 0; round < 12; round += 1) {
        const leaves = Array.from({ length: 6 }, (_, index) => `round ${round} leaf ${index}`)
        const collecting = node.collect({ graceMs: 0 })
        const storing = Promise.all(leaves.map((leaf) => putSample(node, leaf)))
        const [cids] = await Promise.all([storing, collecting])
        const [root] = await Promise.all([putList(node, cids), node.collect({ graceMs: 0 })])
        const [outcome] = await Promise.allSettled([node.pin(root), node.collect({ graceMs: 0 })])
        // With no grace the blocks may go before the pin begins; then the pin has to say so.
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(MissingBlock)
        else for (const cid of [root, ...cids]) expect([cid, await node.verify(cid)]).toEqual([cid, 'ok'])
      }
    })

    test('after any sequence of pins and unpins exactly what the pinned roots reach is left', async () => {
      const { node } = given
      const roots = fc.uniqueArray(fc.subarray(leafSeeds), { minLength: 1, maxLength: 4, selector: String })
      const steps = fc.array(fc.record({ root: fc.nat(3), pin: fc.boolean() }), { maxLength: 12 })
      await fc.assert(
        fc.asyncProperty(roots, steps, async (contents, sequence) => {
          const leaves = new Map<string, string>()
          for (const seed of leafSeeds) leaves.set(seed, await putSample(node, seed))
          const names: string[] = []
          for (const seeds of contents) {
            names.push(
              await putList(
                node,
                seeds.map((seed) => leaves.get(seed) ?? ''),
                seeds.join(),
              ),
            )
          }
          const pinned = new Set<number>()
          for (const { root, pin } of sequence) {
            const name = names[root]
            if (name === undefined) continue
            await (pin ? node.pin(name) : node.unpin(name))
            if (pin) pinned.add(root)
            else pinned.delete(root)
          }
          await node.collect({ graceMs: 0 })
          const reached = new Set([...pinned].flatMap((root) => contents[root] ?? []))
          for (const [seed, cid] of leaves)
            expect([seed, await node.has(cid)]).toEqual([seed, reached.has(seed)])
          for (const [root, name] of names.entries()) expect(await node.has(name)).toBe(pinned.has(root))
          for (const name of names) await node.unpin(name)
        }),
        { numRuns: sequences },
      )
    })
  })
}
