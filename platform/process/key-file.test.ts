import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { encryptKeystoreJson } from 'ethers'
import { z } from 'zod'
import { loadConfig } from './config.ts'
import { readKeyFile } from './key-file.ts'
import { keyFile } from './variables.ts'

const privateKey = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'
const address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8'

describe('readKeyFile', () => {
  let directory = ''

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'key-file-'))
  })

  afterEach(() => rmSync(directory, { recursive: true }))

  function write(name: string, text: string, mode = 0o600): string {
    const path = join(directory, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  test('reads a raw key, whatever its case and final newline', async () => {
    const path = write('key', `0x${privateKey.slice(2).toUpperCase()}\n`)
    expect(await readKeyFile(path)).toBe(privateKey)
  })

  test('refuses a file that others can read, and says how to mend it', async () => {
    const path = write('key', privateKey, 0o640)
    await expect(readKeyFile(path, { variable: 'HOT_KEY_FILE' })).rejects.toThrow(
      `HOT_KEY_FILE: can be read by others; type: chmod 600 ${path}`,
    )
  })

  test.each([
    ['no key at all', 'hello'],
    ['a key without 0x', privateKey.slice(2)],
    ['a short key', privateKey.slice(0, -2)],
    ['zero, which is no key', `0x${'0'.repeat(64)}`],
    ['a number past the order of the curve', `0x${'f'.repeat(64)}`],
  ])('refuses %s', async (_, text) => {
    await expect(readKeyFile(write('key', text))).rejects.toThrow('holds no private key')
  })

  test('never shows what the file holds', async () => {
    const path = write('key', 'super secret, but no key')
    await expect(readKeyFile(path)).rejects.not.toThrow('super secret')
  })

  test('refuses a missing file and a directory', async () => {
    await expect(readKeyFile(join(directory, 'nothing'))).rejects.toThrow('does not exist')
    await expect(readKeyFile(directory)).rejects.toThrow('not a file')
  })

  describe('with a v3 keystore', () => {
    async function keystore(): Promise<string> {
      return write(
        'keystore',
        await encryptKeystoreJson({ address, privateKey }, 'open', { scrypt: { N: 2, r: 1, p: 1 } }),
      )
    }

    test('reads it with its password', async () => {
      const path = await keystore()
      expect(await readKeyFile(path, { passwordFile: write('password', 'open\n') })).toBe(privateKey)
    })

    test('refuses a wrong password', async () => {
      const path = await keystore()
      const passwordFile = write('password', 'shut')
      await expect(readKeyFile(path, { passwordFile })).rejects.toThrow('cannot be decrypted')
    })

    test('asks for the password file by its variable', async () => {
      const path = await keystore()
      await expect(readKeyFile(path, { variable: 'HOT_KEY_FILE' })).rejects.toThrow(
        'HOT_KEY_FILE_PASSWORD_FILE',
      )
    })
  })

  test('a wrong key file is one of the mistakes that loadConfig lists', () => {
    const load = () =>
      loadConfig(z.object({ HOT_KEY_FILE: keyFile }), { HOT_KEY_FILE: write('key', privateKey, 0o644) })
    expect(load).toThrow('HOT_KEY_FILE: can be read by others')
  })
})
