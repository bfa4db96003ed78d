import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { describe, expect, test } from '@jest/globals'
import { createRoom } from './room.ts'

const directory = tmpdir()
const gibibyte = 1024 ** 3

function roomWith(change: Partial<Parameters<typeof createRoom>[0]>, stored = 0, outstanding = 0) {
  return createRoom({
    ...{ directory, capacityBytes: 1_000, diskFloorBytes: 0 },
    ipfs: { usage: async () => ({ blocks: 1, bytes: stored }) },
    offers: { outstandingBytes: () => outstanding },
    ...change,
  })
}

describe('a node can promise', () => {
  test('its capacity, less what is stored and what offers may yet bring', async () => {
    expect(await roomWith({}).freeBytes()).toBe(1_000)
    expect(await roomWith({}, 300, 500).freeBytes()).toBe(200)
    expect(await roomWith({}, 900, 500).freeBytes()).toBe(-400)
  })

  test('nothing of the disk space that is left alone', async () => {
    const { bavail, bsize } = await statfs(directory)
    const diskFloorBytes = bavail * bsize + gibibyte
    const full = roomWith({ diskFloorBytes })
    expect(await full.freeBytes()).toBeLessThan(0)
    expect(await full.isBelowFloor()).toBe(true)
    expect(await roomWith({}).isBelowFloor()).toBe(false)
  })
})
