import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { processStart } from './process-identity.ts'
import { claimNetwork, findRunningNetwork } from './running-network.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await makeTemporaryFolder()
})
afterEach(() => folder.remove())
const pidFile = () => path.join(folder.path, 'network.pid')

describe('the claim on a folder', () => {
  test('holds against a second network, which is told the pid, until it is released', () => {
    const { release, afterCrash } = claimNetwork(folder.path)
    expect(afterCrash).toBe(false)
    expect(findRunningNetwork(folder.path)).toBe(process.pid)
    expect(() => claimNetwork(folder.path)).toThrow(`(pid ${process.pid})`)
    release()
    expect(findRunningNetwork(folder.path)).toBeUndefined()
    claimNetwork(folder.path).release()
  })

  test('of a process that has died is replaced', async () => {
    const { pid } = spawnSync('true')
    await writeFile(pidFile(), JSON.stringify({ pid, start: 'long ago' }))
    expect(claimNetwork(folder.path).afterCrash).toBe(true)
    expect(findRunningNetwork(folder.path)).toBe(process.pid)
  })

  test('of a dead process is not mistaken for a living one that was given the same number', async () => {
    await writeFile(pidFile(), JSON.stringify({ pid: process.pid, start: 'before this process began' }))
    expect(findRunningNetwork(folder.path)).toBeUndefined()
    claimNetwork(folder.path)
    expect(JSON.parse(await readFile(pidFile(), 'utf8')).start).toBe(processStart(process.pid))
  })

  test.each(['', '{"pid":', '[]', '{"pid":"1"}'])('written as %j is worth nothing', async (text) => {
    await writeFile(pidFile(), text)
    expect(findRunningNetwork(folder.path)).toBeUndefined()
    claimNetwork(folder.path).release()
  })

  test('stops an installation of packages: exit code 2 and the pid', () => {
    const { release } = claimNetwork(folder.path)
    const refusal = spawnSync(
      process.execPath,
      [path.join(import.meta.dirname, 'refuse-while-running.ts'), folder.path],
      {
        encoding: 'utf8',
      },
    )
    release()
    expect(refusal.status).toBe(2)
    expect(refusal.stderr).toContain(`pid ${process.pid}`)
  })
})
