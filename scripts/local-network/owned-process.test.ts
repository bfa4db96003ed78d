import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { processStart } from '../setup/process-identity.ts'
import { eventually } from '../testing/eventually.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { type LogFile, openLogFile } from './log-file.ts'
import { startOwnedProcess } from './owned-process.ts'

let folder: TemporaryFolder
let log: LogFile
beforeEach(async () => {
  folder = await makeTemporaryFolder()
  log = openLogFile(path.join(folder.path, 'child.log'))
})
afterEach(() => folder.remove())

const shell = (script: string) => ({ command: '/bin/sh', args: ['-c', script], cwd: '/', log })

describe('a process that we own', () => {
  test('leaves its last words in the log before it counts as ended', async () => {
    const child = await startOwnedProcess(shell('echo out; echo err >&2; exit 7'))
    expect(await child.exited).toEqual({ code: 7, signal: null })
    expect(log.tail().split('\n').sort()).toEqual(['err', 'out'])
  })

  test('takes its own children with it', async () => {
    const child = await startOwnedProcess(shell('sleep 300 & echo $!; exec sleep 300'))
    const grandchild = Number(
      await eventually(() => log.tail(), { describe: 'the grandchild', deadlineMs: 5_000 }),
    )
    await child.stop()
    await eventually(() => processStart(grandchild) === undefined, { describe: 'its end', deadlineMs: 5_000 })
  })

  test('is killed when it does not obey in time, and the log says so', async () => {
    const child = await startOwnedProcess({
      ...shell("trap '' TERM; echo deaf; while :; do sleep 1; done"),
      stopTimeoutMs: 100,
    })
    await eventually(() => log.tail().includes('deaf'), { describe: 'the trap', deadlineMs: 5_000 })
    expect(await child.stop()).toEqual({ code: null, signal: 'SIGKILL' })
    expect(log.tail()).toContain('still running 100 ms after SIGTERM: killed')
  })

  test('stopping twice, or after its end, is harmless', async () => {
    const child = await startOwnedProcess(shell('exec sleep 300'))
    const ends = await Promise.all([child.stop(), child.stop()])
    expect(ends).toEqual([await child.stop(), await child.kill()])
  })

  test('sees nothing of our environment but what every child gets', async () => {
    process.env.REDIS_URL = 'redis://somewhere'
    try {
      const child = await startOwnedProcess({
        ...shell('echo "$OWN" "$REDIS_URL"'),
        env: { OWN: 'own' },
      })
      await child.exited
      expect(log.tail()).toBe('own')
    } finally {
      delete process.env.REDIS_URL
    }
  })

  test('a program that does not exist is an error', async () => {
    await expect(startOwnedProcess({ command: '/nowhere/at-all', args: [], cwd: '/', log })).rejects.toThrow(
      '/nowhere/at-all could not be started',
    )
  })

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'does not outlive an owner that dies of %s',
    async (signal) => {
      const logFile = path.join(folder.path, 'orphan.log')
      const owner = spawn(
        process.execPath,
        [
          path.join(import.meta.dirname, 'fixtures/owner.ts'),
          logFile,
          '/bin/sh',
          '-c',
          'sleep 300 & sleep 300',
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      const [line] = await once(owner.stdout, 'data')
      const pid = Number(String(line))
      expect(processStart(pid)).toBeDefined()
      owner.kill(signal)
      await eventually(() => processStart(pid) === undefined, {
        describe: 'the end of the orphan',
        deadlineMs: 10_000,
      })
    },
    20_000,
  )
})
