import { hash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { cidOf, maximumBlockBytes } from '../cids/index.ts'
import { blocksOf } from '../manifests/index.ts'
import { exampleBytes, exampleTrack } from '../vectors/index.ts'
import {
  type Entry,
  hashBlock,
  leafBytes,
  proveLeaf,
  type StorageRoot,
  StorageRootError,
  storageRoot,
  verifyLeaf,
} from './index.ts'

const nodeSha256 = (bytes: Uint8Array) => hash('sha256', bytes, 'buffer')
const { track, blocks } = await exampleTrack()
const entries = blocksOf(track).map(({ cid, byteLength }): Entry => {
  return { cid, byteLength, root: hashBlock(blockOf(cid)).root }
})
const total = storageRoot(entries)

describe('the root of a block', () => {
  test.each([1, 255, 256, 257, 512, 513, 1024, 4097])('of %i bytes is that of a tree by hand', (length) => {
    const bytes = exampleBytes(length, 5)
    const leaves = []
    for (let start = 0; start < length; start += 256) {
      leaves.push(
        sha256(Buffer.concat([bytes.subarray(start, start + 256), Buffer.alloc(256)]).subarray(0, 256)),
      )
    }
    expect(hashBlock(bytes)).toEqual({
      root: `0x${naiveRoot(leaves).toString('hex')}`,
      leafCount: leaves.length,
      byteLength: length,
    })
  })

  test('is the same by the hash function of a server', () => {
    for (const length of [1, 256, 100_000, maximumBlockBytes]) {
      const bytes = exampleBytes(length, 6)
      expect(hashBlock(bytes, nodeSha256)).toEqual(hashBlock(bytes))
    }
  })

  test('changes with any bit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), fc.nat(), (bytes, place) => {
        const changed = flipBit(bytes, place % (bytes.length * 8))
        expect(hashBlock(changed, nodeSha256).root).not.toBe(hashBlock(bytes, nodeSha256).root)
      }),
    )
  })

  test('does not exist for a block that cannot be', () => {
    expect(() => hashBlock(new Uint8Array())).toThrow(StorageRootError)
    expect(() => hashBlock(new Uint8Array(maximumBlockBytes + 1))).toThrow(StorageRootError)
  })
})

describe('a storage root', () => {
  test('stands over every block of a track, in order', () => {
    let firstLeaf = 0n
    const hashes = entries.map(({ cid, root, byteLength }) => {
      const entry = Buffer.alloc(80)
      entry.write(root.slice(2), 0, 'hex')
      entry.writeBigUInt64BE(firstLeaf, 32)
      entry.writeBigUInt64BE(BigInt(byteLength), 40)
      sha256(blockOf(cid)).copy(entry, 48)
      firstLeaf += BigInt(Math.ceil(byteLength / 256))
      return sha256(entry)
    })
    expect(total).toEqual({
      root: `0x${naiveRoot(hashes).toString('hex')}`,
      leafCount: Number(firstLeaf),
      byteLength: Array.from(blocks.values()).reduce((sum, { length }) => sum + length, 0),
    })
  })

  test('changes with any bit of any block, with their order, and with their count', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(entries.length - 1), fc.nat(), async (index, place) => {
        const changed = await Promise.all(
          entries.map((entry, i) => {
            const block = blockOf(entry.cid)
            return i === index ? entryOf(flipBit(block, place % (block.length * 8))) : entry
          }),
        )
        expect(storageRoot(changed).root).not.toBe(total.root)
        expect(storageRoot(entries.toSpliced(index, 1)).root).not.toBe(total.root)
        expect(storageRoot(entries.toSpliced(index, 0, ...entries.slice(index, index + 1))).root).not.toBe(
          total.root,
        )
      }),
    )
    expect(storageRoot(entries.toReversed()).root).not.toBe(total.root)
  })

  test('tells blocks apart that differ in zeros at their end', async () => {
    const short = await entryOf(Uint8Array.of(1, 2))
    const long = await entryOf(Uint8Array.of(1, 2, 0))
    expect(long.root).toBe(short.root)
    expect(storageRoot([long]).root).not.toBe(storageRoot([short]).root)
  })

  test('does not exist over nothing', () => {
    expect(() => storageRoot([])).toThrow(StorageRootError)
  })
})

describe('a proof of a leaf', () => {
  test('shows every leaf of a track', async () => {
    for (let index = 0; index < total.leafCount; index++) {
      const proof = await proveLeaf(entries, index, async (cid) => blockOf(cid))
      expect(verifyLeaf(total.root, index, proof)).toBe(true)
      const start = (index - proof.firstLeaf) * leafBytes
      const bytes = blockOf(proof.cid).subarray(start, start + leafBytes)
      expect(Buffer.compare(proof.leaf.subarray(0, bytes.length), bytes)).toBe(0)
    }
  })

  test('shows no other leaf, and under no other root', async () => {
    const leaf = fc.nat(total.leafCount - 1)
    await fc.assert(
      fc.asyncProperty(leaf, leaf, async (index, other) => {
        const proof = await proveLeaf(entries, index, async (cid) => blockOf(cid))
        expect(verifyLeaf(total.root, other, proof)).toBe(index === other)
        expect(verifyLeaf(storageRoot(entries.slice(1)).root, index, proof)).toBe(false)
      }),
    )
  })

  test('fails with anything in it changed', async () => {
    const leaf = fc.nat(total.leafCount - 1)
    await fc.assert(
      fc.asyncProperty(leaf, fc.nat(), async (index, place) => {
        const proof = await proveLeaf(entries, index, async (cid) => blockOf(cid))
        const path = <Key extends 'leafPath' | 'entryPath'>(key: Key) => proof[key].slice(0, -1)
        const forgeries = [
          { leaf: flipBit(proof.leaf, place % (leafBytes * 8)) },
          { leaf: proof.leaf.subarray(1) },
          { firstLeaf: proof.firstLeaf - 1 },
          { firstLeaf: proof.firstLeaf + 0.5 },
          { byteLength: proof.byteLength + 1 },
          { byteLength: proof.byteLength + leafBytes },
          { cid: entries.find(({ cid }) => cid !== proof.cid)?.cid ?? '' },
          { entryIndex: proof.entryIndex + 1 },
          { entryIndex: proof.entryIndex + 2 ** proof.entryPath.length },
          { entryPath: path('entryPath') },
          { leafPath: [...proof.leafPath, total.root] },
          { leafPath: [...proof.leafPath, total.root], byteLength: proof.byteLength * 2 },
          ...(proof.leafPath.length > 0 ? [{ leafPath: path('leafPath') }] : []),
        ]
        for (const forgery of forgeries) {
          expect(verifyLeaf(total.root, index, { ...proof, ...forgery })).toBe(false)
        }
      }),
    )
  })

  test('is the leaf itself for the smallest of all tracks', async () => {
    const block = Uint8Array.of(7)
    const entry = await entryOf(block)
    const root: StorageRoot = storageRoot([entry])
    const proof = await proveLeaf([entry], 0, async () => block)
    expect(proof).toMatchObject({ leafPath: [], entryPath: [], entryIndex: 0, firstLeaf: 0 })
    expect(verifyLeaf(root.root, 0, proof)).toBe(true)
  })

  test('does not exist for a leaf that there is not', async () => {
    for (const index of [-1, total.leafCount, 0.5]) {
      await expect(proveLeaf(entries, index, async (cid) => blockOf(cid))).rejects.toThrow(StorageRootError)
    }
  })
})

function naiveRoot(nodes: Buffer[]): Buffer {
  const missing = 2 ** Math.ceil(Math.log2(nodes.length)) - nodes.length
  return rootOfFull([...nodes, ...Array.from({ length: missing }, () => Buffer.alloc(32))])
}

function rootOfFull(nodes: Buffer[]): Buffer {
  const half = nodes.length / 2
  if (half < 1) return Buffer.concat(nodes)
  return sha256(Buffer.concat([rootOfFull(nodes.slice(0, half)), rootOfFull(nodes.slice(half))]))
}

function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer')
}

function blockOf(cid: string): Uint8Array {
  const block = blocks.get(cid)
  if (!block) throw new Error(`the example track has no block ${cid}`)
  return block
}

async function entryOf(bytes: Uint8Array): Promise<Entry> {
  return { ...hashBlock(bytes), cid: await cidOf(bytes, 'raw') }
}

function flipBit(bytes: Uint8Array, place: number): Uint8Array {
  const changed = bytes.slice()
  const index = Math.floor(place / 8)
  changed[index] = (changed[index] ?? 0) ^ (1 << (place % 8))
  return changed
}
