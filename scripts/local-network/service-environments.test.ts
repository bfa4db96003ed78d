import { execFileSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { EnvironmentFileError, writeEnvironmentFile } from './service-environments.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await makeTemporaryFolder()
})
afterEach(() => folder.remove())

function readBack(file: string, name: string): string {
  const program = `process.stdout.write(process.env.${name} ?? 'unset')`
  return execFileSync(process.execPath, [`--env-file=${file}`, '-e', program], { encoding: 'utf8', env: {} })
}

describe('an environment file', () => {
  test.each([
    'plain',
    '',
    '4600',
    '/home/a b/.hexachord/data',
    'postgres://u:p#w=x$y@127.0.0.1:4650/db?a=b',
    "it's",
    'both \' and "',
    'C:\\new\\table',
    ' spaces around ',
    '# no comment',
    'ütf-8 ♪',
  ])('gives %j to a node process as it is', async (value) => {
    const file = path.join(folder.path, 'a folder', 'service.env')
    await writeEnvironmentFile(file, { VALUE: value })
    expect(readBack(file, 'VALUE')).toBe(value)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test('refuses what the format cannot hold rather than to change it', async () => {
    const file = path.join(folder.path, 'service.env')
    for (const value of ['two\nlines', `all three: ' " \``]) {
      await expect(writeEnvironmentFile(file, { VALUE: value })).rejects.toThrow(EnvironmentFileError)
    }
  })

  test('whatever it accepts comes back', async () => {
    const file = path.join(folder.path, 'service.env')
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme-ascii', maxLength: 30 }), async (value) => {
        fc.pre(!["'", '"', '`'].every((mark) => value.includes(mark)))
        fc.pre(!(value.includes("'") && value.includes('`')))
        await writeEnvironmentFile(file, { VALUE: value })
        expect(readBack(file, 'VALUE')).toBe(value)
      }),
      { numRuns: 15 },
    )
  }, 30_000)
})
