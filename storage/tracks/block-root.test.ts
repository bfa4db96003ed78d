import { hash, randomBytes } from 'node:crypto'
import { maximumBlockBytes } from '@hexachord/protocol/cids'
import { hashBlock, StorageRootError } from '@hexachord/protocol/storage-root'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { blockRoot } from './index.ts'
import { freeFrom, openSha256Lanes } from './sha256-lanes.ts'

const slowly = (bytes: Uint8Array) => hashBlock(bytes, (input) => hash('sha256', input, 'buffer'))

describe('the root of a block', () => {
  test.each([1, 63, 64, 255, 256, 257, 512, 1_024, 1_025, 160_000, maximumBlockBytes])(
    'of %i bytes is what the protocol says',
    (length) => {
      const bytes = randomBytes(length)
      expect(blockRoot(bytes)).toEqual(slowly(bytes))
    },
  )

  test('is so for any block, whatever was hashed before it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 5_000 }), (bytes) => {
        expect(blockRoot(bytes)).toEqual(slowly(bytes))
      }),
    )
  })

  test('does not exist for a block that cannot be', () => {
    expect(() => blockRoot(new Uint8Array())).toThrow(StorageRootError)
    expect(() => blockRoot(new Uint8Array(maximumBlockBytes + 1))).toThrow(StorageRootError)
  })
})

test.each([64, 256] as const)('four messages of %i bytes are hashed as each of them is alone', (length) => {
  const { memory, hashFour } = openSha256Lanes(8_192)
  const messages = randomBytes(4 * length)
  memory.set(messages, freeFrom)
  hashFour(freeFrom, freeFrom + messages.length, length)
  for (let lane = 0; lane < 4; lane++) {
    const at = freeFrom + messages.length + 32 * lane
    const one = hash('sha256', messages.subarray(lane * length, (lane + 1) * length), 'buffer')
    expect(Buffer.compare(memory.subarray(at, at + 32), one)).toBe(0)
  }
})
