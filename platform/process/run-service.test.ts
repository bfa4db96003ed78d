import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from '@jest/globals'

const fixture = fileURLToPath(new URL('testing/service.ts', import.meta.url))

describe('runService', () => {
  const children: ChildProcess[] = []

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  function start(env: Record<string, string>) {
    const child = spawn(process.execPath, [fixture], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    let output = ''
    let errors = ''
    const waiting = new Set<() => void>()
    child.stdout.on('data', (data) => {
      output += String(data)
      for (const check of waiting) check()
    })
    child.stderr.on('data', (data) => {
      errors += String(data)
    })
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
    const lines = () =>
      output
        .split('\n')
        .filter((line) => line !== '')
        .map((line): Record<string, unknown> => JSON.parse(line))
    const messages = () => lines().map(({ msg }) => msg)
    return {
      child,
      exited,
      lines,
      messages,
      errors: () => errors,
      /** Resolves when the line is there; the exit without it is a failure. */
      logged: (message: string) =>
        new Promise<void>((resolve, reject) => {
          const check = () => {
            if (messages().includes(message)) resolve()
          }
          waiting.add(check)
          check()
          void exited.then(() => reject(new Error(`exited without logging ${message}: ${output}${errors}`)))
        }),
    }
  }

  test('logs one ready line with the details of the start', async () => {
    const service = start({ MODE: 'serve', PORT: '1' })
    await service.logged('ready')
    expect(service.lines()).toEqual([
      expect.objectContaining({ msg: 'ready', service: 'fixture', port: 4600 }),
    ])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('closes and exits with 0 on %s', async (signal) => {
    const service = start({ MODE: 'serve', PORT: '1' })
    await service.logged('ready')
    service.child.kill(signal)
    expect(await service.exited).toBe(0)
    expect(service.messages()).toEqual(['ready', 'closing', 'witness closed', 'closed'])
  })

  test('exits with 0 when it is told to stop while it starts', async () => {
    const service = start({ MODE: 'start for ever', PORT: '1' })
    await service.logged('starting')
    service.child.kill('SIGTERM')
    expect(await service.exited).toBe(0)
    expect(service.messages()).toEqual(['starting', 'closing', 'witness closed', 'closed'])
  })

  test('prints every configuration mistake in plain words and exits with 2', async () => {
    const service = start({ PORT: 'x' })
    expect(await service.exited).toBe(2)
    expect(service.errors()).toBe(
      'The configuration is not usable:\n  MODE: is not set\n  PORT: must be a whole number from 0 to 65535\n',
    )
  })

  test.each([
    ['fail', 'start failed', 'the disk is full'],
    ['throw later', 'uncaught exception', 'nobody catches this'],
    ['reject later', 'unhandled rejection', 'nobody waits for this'],
  ])('mode "%s": logs "%s", closes and exits with 1', async (mode, message, reason) => {
    const service = start({ MODE: mode, PORT: '1' })
    expect(await service.exited).toBe(1)
    expect(service.lines()).toContainEqual(
      expect.objectContaining({
        level: 'fatal',
        msg: message,
        err: expect.objectContaining({ message: reason }),
      }),
    )
    expect(service.messages()).toContain('witness closed')
  })

  test('exits with 1 when something does not close, having closed the rest', async () => {
    const service = start({ MODE: 'close badly', PORT: '1' })
    await service.logged('ready')
    service.child.kill('SIGTERM')
    expect(await service.exited).toBe(1)
    expect(service.messages()).toEqual(['ready', 'closing', 'witness closed', 'closed with failures'])
  })
})
