import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { createAllowance } from './allowance.ts'
import { openKeyFile } from './key-file.ts'
import { createSealing } from './sealing.ts'

describe('the key file', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hexachord-key-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('is made once, for its owner alone, by whoever comes first', async () => {
    const file = join(folder, 'new', 'key')
    const keys = await Promise.all(
      Array.from({ length: 8 }, () => openKeyFile(file, 'APP_PASSWORD_KEY_FILE')),
    )
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1)
    expect(keys[0]).toHaveLength(32)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(folder, 'new'))).toEqual(['key'])
  })

  test('is refused when others can read it, or when it holds no key', async () => {
    const file = join(folder, 'shared')
    await openKeyFile(file, 'APP_PASSWORD_KEY_FILE')
    await chmod(file, 0o640)
    await expect(openKeyFile(file, 'APP_PASSWORD_KEY_FILE')).rejects.toThrow(
      /APP_PASSWORD_KEY_FILE: can be read by others/,
    )
    await writeFile(join(folder, 'empty'), '', { mode: 0o600 })
    await expect(openKeyFile(join(folder, 'empty'), 'APP_PASSWORD_KEY_FILE')).rejects.toThrow(/holds no key/)
  })
})

describe('a sealed password', () => {
  const sealing = createSealing(Buffer.alloc(32, 1))

  test('opens under its key and its id, and is another each time', () => {
    const [first, second] = [sealing.seal('a', 'secret'), sealing.seal('a', 'secret')]
    expect(first.equals(second)).toBe(false)
    expect([first, second].map((sealed) => sealing.open('a', sealed))).toEqual(['secret', 'secret'])
    expect(first.includes('secret')).toBe(false)
  })

  test('opens under no other key or id, and not with any byte changed', () => {
    const sealed = sealing.seal('a', 'secret')
    expect(sealing.open('b', sealed)).toBeUndefined()
    expect(createSealing(Buffer.alloc(32, 2)).open('a', sealed)).toBeUndefined()
    for (const place of sealed.keys()) {
      const changed = Buffer.from(sealed)
      changed.writeUInt8(changed.readUInt8(place) ^ 1, place)
      expect(sealing.open('a', changed)).toBeUndefined()
    }
    expect(sealing.open('a', sealed.subarray(0, 20))).toBeUndefined()
  })

  test('is found by a fingerprint that is of no use without the key', () => {
    expect(sealing.fingerprint('secret').equals(sealing.fingerprint('secret'))).toBe(true)
    expect(
      createSealing(Buffer.alloc(32, 2)).fingerprint('secret').equals(sealing.fingerprint('secret')),
    ).toBe(false)
  })
})

describe('an allowance', () => {
  test('comes back with time, up to its burst, and is forgotten for the longest idle', () => {
    let nowMs = 0
    const allowance = createAllowance({ burst: 2, refillMs: 10, maximumKeys: 2, now: () => nowMs })
    expect(['a', 'a', 'a', 'b'].map((key) => allowance.take(key))).toEqual([true, true, false, true])
    nowMs = 10
    expect([allowance.has('a'), allowance.take('a'), allowance.has('a')]).toEqual([true, true, false])
    nowMs = 1_000
    expect([1, 2, 3].map(() => allowance.take('a'))).toEqual([true, true, false])
    allowance.take('c')
    allowance.take('d')
    expect(allowance.has('a')).toBe(true)
  })
})
