import { spawn } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listener, subject } from '@hexachord/sdk/fixtures'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type FilePurseMemory, filePurseMemory } from './purse-memory.ts'

// Three programs are started, on a machine that does other things as well.
jest.setTimeout(30_000)

let directory: string
const open: FilePurseMemory[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hexachord-purse-'))
})
afterEach(async () => {
  for (const memory of open.splice(0)) memory.close()
  await rm(directory, { recursive: true, force: true })
})

async function memoryOf(key = listener.address): Promise<FilePurseMemory> {
  const memory = await filePurseMemory(directory, key)
  open.push(memory)
  return memory
}

const node = `0x${'ab'.repeat(20)}` as const

describe('purses in a file', () => {
  test('are there after a restart, each for its key, and are read by nobody else', async () => {
    const receipt = { atMs: 1, track: subject, unit: 2, node, curator: node, amount: 2n ** 80n }
    const memory = await memoryOf()
    await memory.update((state) => ({ ...state, homes: [node] }), [receipt])
    const again = await memoryOf()
    expect(await again.load()).toMatchObject({ homes: [node] })
    expect(await again.receipts()).toEqual([receipt])
    const other = await memoryOf(node)
    expect([(await other.load()).homes, await other.receipts()]).toEqual([[], []])
    expect((await stat(join(directory, 'purse.sqlite'))).mode & 0o077).toBe(0)
  })

  test('keep what was before when a change fails', async () => {
    const memory = await memoryOf()
    await memory.update((state) => ({ ...state, homes: [node] }))
    await expect(memory.update(() => Promise.reject(new Error('the key is locked')))).rejects.toThrow(
      'locked',
    )
    expect((await memory.load()).homes).toEqual([node])
  })

  test('lose no change of several commands at a time, one of which is killed', async () => {
    const script = `
      import { filePurseMemory } from ${JSON.stringify(join(import.meta.dirname, 'purse-memory.ts'))}
      const memory = await filePurseMemory(${JSON.stringify(directory)}, '${listener.address}')
      for (let n = 0; n < 10; n++) {
        await memory.update((state) => {
          const { hour } = state.spent
          return { ...state, spent: { ...state.spent, hour: { ...hour, amount: hour.amount + 1n } } }
        })
        console.log(n)
      }
    `
    const run = (killAfter?: string) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let lines = ''
      child.stdout.on('data', (text) => {
        lines += text
        if (killAfter && lines.includes(killAfter)) child.kill('SIGKILL')
      })
      return new Promise<number>((resolve) =>
        child.once('close', () => resolve(lines.trim().split('\n').length)),
      )
    }
    const told = await Promise.all([run(), run(), run('5\n')])
    const { spent } = await (await memoryOf()).load()
    // What it had told of was written; it may have written one more.
    const least = BigInt(told.reduce((sum, count) => sum + count, 0))
    expect(spent.hour.amount).toBeGreaterThanOrEqual(least)
    expect(spent.hour.amount).toBeLessThanOrEqual(least + 1n)
  })
})
