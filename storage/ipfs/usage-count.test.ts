import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { createUsageCount } from './usage-count.ts'

const shard = 'aa'
const cid = 'a block of that shard'

/** Directories of which none is there yet: their names come at once, without a turn of the event loop. */
function emptyFiles() {
  let looks = 0
  return {
    shards: [shard],
    shardOf: () => shard,
    stat: async () => null,
    async list() {
      looks += 1
      if (looks > 100) throw new Error('the directory is looked at again and again')
      return []
    },
  }
}

describe('what a store holds', () => {
  test('is counted while the first block of a directory is on its way to the disk', async () => {
    const count = createUsageCount(emptyFiles())
    const written = Promise.withResolvers<void>()
    const writing = count.during(cid, async () => {
      await written.promise
      return { blocks: 1, bytes: 5 }
    })
    const total = count.total()
    // The disk answers in a turn of its own, for which whoever counts has to leave room.
    await nextTurn()
    written.resolve()
    await writing
    await expect(total).resolves.toEqual({ blocks: 0, bytes: 0 })
    await count.during(cid, async () => ({ blocks: 1, bytes: 7 }))
    await expect(count.total()).resolves.toEqual({ blocks: 1, bytes: 7 })
  })

  test('is counted anew where a change has failed half-way, and not before all changes are over', async () => {
    const count = createUsageCount(emptyFiles())
    await count.total()
    const failing = count.during(cid, async () => {
      throw new Error('no room')
    })
    const slow = Promise.withResolvers<void>()
    const other = count.during(cid, async () => {
      await slow.promise
      return { blocks: 1, bytes: 3 }
    })
    await expect(failing).rejects.toThrow('no room')
    const total = count.total()
    await nextTurn()
    slow.resolve()
    await other
    await expect(total).resolves.toEqual({ blocks: 0, bytes: 0 })
  })
})
