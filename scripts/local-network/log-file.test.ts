import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { openLogFile } from './log-file.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await makeTemporaryFolder()
})
afterEach(() => folder.remove())

describe('a log file', () => {
  test('never takes more than two turns of its limit', async () => {
    const log = openLogFile(path.join(folder.path, 'logs', 'a.log'), 100)
    for (let line = 0; line < 100; line++) log.append(`line ${line}\n`)
    expect((await readdir(path.join(folder.path, 'logs'))).sort()).toEqual(['a.log', 'a.log.1'])
    for (const name of ['a.log', 'a.log.1']) {
      const file = await stat(path.join(folder.path, 'logs', name))
      expect(file.size).toBeLessThanOrEqual(100 + 'line 99\n'.length)
    }
  })

  test('shows its last lines across a turn', () => {
    const log = openLogFile(path.join(folder.path, 'a.log'), 14)
    for (const line of ['one', 'two', 'three', 'four']) log.append(`${line}\n`)
    expect(log.tail(3)).toBe('two\nthree\nfour')
  })

  test('goes on in the file that it finds', () => {
    openLogFile(path.join(folder.path, 'a.log')).append('before\n')
    const log = openLogFile(path.join(folder.path, 'a.log'))
    log.append('after\n')
    expect(log.tail()).toBe('before\nafter')
  })
})
