import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { checkClock } from './clock.ts'
import { checkDisk } from './disk.ts'
import { checkPlatform } from './platform.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await makeTemporaryFolder()
})
afterEach(() => folder.remove())

describe('this machine', () => {
  test.each(['x64', 'arm64'])('may be Linux or macOS on %s', (arch) => {
    checkPlatform('linux', arch, '24.0.0')
    checkPlatform('darwin', arch, '25.1.0')
  })

  test('may not be Windows itself, nor run an old Node', () => {
    expect(() => checkPlatform('win32', 'x64', '24.0.0')).toThrow('use WSL2')
    expect(() => checkPlatform('linux', 'x64', '22.12.0')).toThrow('Node 24 or newer')
  })

  test('needs room on the disk, and is told how much', async () => {
    await checkDisk(folder.path, 1)
    await expect(checkDisk(folder.path, Number.MAX_SAFE_INTEGER)).rejects.toThrow(
      /GiB are free in .* are needed/,
    )
  })

  test('has a clock that can be right', async () => {
    await checkClock(folder.path)
    await expect(checkClock(folder.path, () => 0)).rejects.toThrow('1970-01-01')
    await expect(checkClock(folder.path, () => Date.UTC(2200, 0))).rejects.toThrow('2200-01-01')
  })

  test('has a clock that agrees with its disk, and the look leaves nothing behind', async () => {
    await expect(checkClock(folder.path, () => Date.now() + 90_000)).rejects.toThrow('differ by 90 s')
    expect(await readdir(folder.path)).toEqual([])
  })
})
