import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { runCommand } from './run-command.ts'

let screen: { mockRestore(): void }
beforeEach(() => {
  screen = jest.spyOn(process.stdout, 'write').mockReturnValue(true)
})
afterEach(() => screen.mockRestore())

const shell = (script: string, changes: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  runCommand({
    command: '/bin/sh',
    args: ['-c', script],
    cwd: '/',
    environment: {},
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...changes,
  })

describe('a command of a suite', () => {
  test('gives its exit code and its output', async () => {
    expect(await shell('echo one; echo two >&2; exit 3')).toEqual({
      code: 3,
      output: expect.stringMatching(/one\ntwo|two\none/),
    })
  })

  test('is ended when its time is over', async () => {
    await expect(shell('sleep 60', { timeoutMs: 100 })).rejects.toThrow('was ended after')
  })

  test('is ended when the run is interrupted', async () => {
    const stop = new AbortController()
    const running = shell('sleep 60', { signal: stop.signal })
    stop.abort(new Error('interrupted'))
    await expect(running).rejects.toThrow('interrupted')
  })
})
