import { createCipheriv, createHash } from 'node:crypto'
import { CidError, CidMismatch, cidOf, maximumBlockBytes } from '@hexachord/protocol/cids'
import { describe, expect, test } from '@jest/globals'
import { BlockNotFound, BlockTooLarge } from '../ipfs-node.ts'
import { freshNode, gather, type IpfsNodeFactory, putSample, sampleBytes } from './subject.ts'

const text = (words: string) => new TextEncoder().encode(words)

/** How Kubo's own tests make their input: ChaCha20 under the sha256 of a seed, zero nonce. */
function kuboBytes(seed: string, length: number): Uint8Array {
  const cipher = createCipheriv('chacha20', createHash('sha256').update(seed).digest(), Buffer.alloc(16))
  return new Uint8Array(cipher.update(Buffer.alloc(length)))
}

export function storingSuite(factory: IpfsNodeFactory): void {
  describe('storing blocks', () => {
    const given = freshNode(factory)

    test.each([
      [
        'a short text',
        text('hello world'),
        'raw',
        'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
      ],
      ['no bytes at all', text(''), 'raw', 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
      [
        'an empty map',
        text('{}'),
        'dag-json',
        'baguqeeraiqjw7i2vwntyuekgvulpp2det2kpwt6cd7tx5ayqybqpmhfk76fa',
      ],
      [
        'one mebibyte of Kubo’s golden vector',
        kuboBytes('chunk-v1-seed', maximumBlockBytes),
        'raw',
        'bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta',
      ],
    ] as const)(
      'names %s as every other IPFS node does, and gives it back',
      async (_what, bytes, codec, cid) => {
        expect(await given.node.put(bytes, codec)).toBe(cid)
        expect(await given.node.has(cid)).toBe(true)
        expect(await given.node.size(cid)).toBe(bytes.length)
        expect(Buffer.compare(await given.node.get(cid), bytes)).toBe(0)
        expect(await given.node.verify(cid)).toBe('ok')
      },
    )

    test('refuses a block of one byte more than one mebibyte, whichever way it comes', async () => {
      const bytes = kuboBytes('chunk-v1-seed', maximumBlockBytes + 1)
      const cid = await cidOf(bytes, 'raw')
      await expect(given.node.put(bytes, 'raw')).rejects.toThrow(BlockTooLarge)
      await expect(given.node.putVerified(cid, bytes)).rejects.toThrow(BlockTooLarge)
      expect(await given.node.has(cid)).toBe(false)
    })

    test('stores bytes under a name they have', async () => {
      const bytes = sampleBytes('named')
      const cid = await cidOf(bytes, 'raw')
      await given.node.putVerified(cid, bytes)
      expect(Buffer.compare(await given.node.get(cid), bytes)).toBe(0)
    })

    test('stores bytes that its caller has hashed, and hashes them again when they are read', async () => {
      const bytes = sampleBytes('hashed')
      const cid = await cidOf(bytes, 'raw')
      await given.node.putVerified(cid, bytes, { isHashed: true })
      expect(await given.node.verify(cid)).toBe('ok')
      await given.subject.flipBit(cid)
      await expect(given.node.get(cid)).rejects.toThrow(BlockNotFound)
    })

    test('refuses bytes under a name they do not have, and stores neither', async () => {
      const claimed = await cidOf(sampleBytes('claimed'), 'raw')
      const actual = await cidOf(sampleBytes('actual'), 'raw')
      await expect(given.node.putVerified(claimed, sampleBytes('actual'))).rejects.toThrow(CidMismatch)
      expect(await given.node.has(claimed)).toBe(false)
      expect(await given.node.has(actual)).toBe(false)
      expect(await given.node.usage()).toEqual({ blocks: 0, bytes: 0 })
    })

    test('says which block it has not got', async () => {
      const cid = await cidOf(sampleBytes('absent'), 'raw')
      expect(await given.node.has(cid)).toBe(false)
      await expect(given.node.get(cid)).rejects.toThrow(BlockNotFound)
      await expect(given.node.size(cid)).rejects.toMatchObject({ name: 'BlockNotFound', cid })
      expect(await given.node.verify(cid)).toBe('missing')
    })

    test.each(['', 'bafkrei', '../../../etc/passwd', 'QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n'])(
      'takes %p for no name of a block',
      async (name) => {
        await expect(given.node.has(name)).rejects.toThrow(CidError)
        await expect(given.node.get(name)).rejects.toThrow(CidError)
        await expect(given.node.size(name)).rejects.toThrow(CidError)
        await expect(given.node.fetch(name)).rejects.toThrow(CidError)
        await expect(given.node.verify(name)).rejects.toThrow(CidError)
        await expect(given.node.pin(name)).rejects.toThrow(CidError)
        await expect(given.node.putVerified(name, text(''))).rejects.toThrow(CidError)
      },
    )

    test('stores a block once, however many put it at the same time', async () => {
      const cids = await Promise.all(Array.from({ length: 24 }, () => putSample(given.node, 'popular')))
      expect(new Set(cids).size).toBe(1)
      expect(await given.node.usage()).toEqual({ blocks: 1, bytes: 2_000 })
      expect(Buffer.compare(await given.node.get(cids[0] ?? ''), sampleBytes('popular'))).toBe(0)
    })

    test('stores many blocks put at the same time, and lists each with its size', async () => {
      const sizes = Array.from({ length: 64 }, (_, index) => index * 100)
      const cids = await Promise.all(sizes.map((size) => putSample(given.node, `many ${size}`, size)))
      const listed = await gather(given.node.blocks())
      const expected = cids.map((cid, index) => ({ cid, bytes: sizes[index] }))
      const byName = (a: { cid: string }, b: { cid: string }) => (a.cid < b.cid ? -1 : 1)
      expect(listed.sort(byName)).toEqual(expected.sort(byName))
      expect(await given.node.usage()).toEqual({ blocks: 64, bytes: sizes.reduce((sum, size) => sum + size) })
    })

    test('keeps its count of blocks and bytes true while blocks come, come again and go', async () => {
      await putSample(given.node, 'first', 500)
      expect(await given.node.usage()).toEqual({ blocks: 1, bytes: 500 })
      await putSample(given.node, 'second', 700)
      await putSample(given.node, 'second', 700)
      expect(await given.node.usage()).toEqual({ blocks: 2, bytes: 1_200 })
      await given.node.pin(await putSample(given.node, 'second', 700))
      await given.node.collect({ graceMs: 0 })
      expect(await given.node.usage()).toEqual({ blocks: 1, bytes: 700 })
    })
  })
}
