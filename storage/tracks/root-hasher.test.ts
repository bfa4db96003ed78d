import { randomBytes } from 'node:crypto'
import { maximumBlockBytes } from '@hexachord/protocol/cids'
import { StorageRootError } from '@hexachord/protocol/storage-root'
import { afterEach, describe, expect, test } from '@jest/globals'
import { blockRoot } from './block-root.ts'
import { createRootHasher, type RootHasher } from './root-hasher.ts'

let hasher: RootHasher
afterEach(() => hasher.close())

describe('roots computed beside the event loop', () => {
  test('are those of the same bytes, whatever else is asked for meanwhile', async () => {
    hasher = createRootHasher()
    const blocks = [1, 256, 257, 5_000, 163_840, maximumBlockBytes].map((length) => randomBytes(length))
    // One that is only a part of a larger buffer, too.
    blocks.push(randomBytes(10_000).subarray(17, 6_017))
    const roots = await Promise.all(blocks.map((bytes) => hasher.rootOf(bytes)))
    expect(roots).toEqual(blocks.map((bytes) => blockRoot(bytes)))
  })

  test('are of the bytes as they were when asked for', async () => {
    hasher = createRootHasher()
    const bytes = randomBytes(1_000)
    const expected = blockRoot(bytes)
    const asked = hasher.rootOf(bytes)
    expect(bytes).toHaveLength(1_000)
    bytes.fill(0)
    expect(await asked).toEqual(expected)
  })

  test('do not exist for what is no block', async () => {
    hasher = createRootHasher()
    await expect(hasher.rootOf(new Uint8Array())).rejects.toBeInstanceOf(StorageRootError)
    const large = new Uint8Array(maximumBlockBytes + 1)
    await expect(hasher.rootOf(large)).rejects.toBeInstanceOf(StorageRootError)
    expect(await hasher.rootOf(Uint8Array.of(1))).toEqual(blockRoot(Uint8Array.of(1)))
  })

  test('come also when the thread ends before it has answered, and afterwards', async () => {
    hasher = createRootHasher()
    const bytes = randomBytes(2_000)
    const asked = hasher.rootOf(bytes)
    await hasher.close()
    expect(await asked).toEqual(blockRoot(bytes))
    expect(await hasher.rootOf(bytes)).toEqual(blockRoot(bytes))
  })
})
