import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { missingWavBytes } from './wav-length.ts'

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await makeTemporaryFolder()
})
afterAll(() => folder.remove())

function chunk(name: string, bytes: Buffer, length = bytes.length): Buffer {
  const header = Buffer.alloc(8)
  header.write(name, 'latin1')
  header.writeUInt32LE(length, 4)
  return Buffer.concat([header, bytes, Buffer.alloc(bytes.length % 2)])
}

async function missing(...parts: Buffer[]): Promise<number> {
  const file = join(folder.path, 'a.wav')
  await writeFile(file, Buffer.concat(parts))
  return missingWavBytes(file)
}

const head = Buffer.from('RIFF\0\0\0\0WAVE', 'latin1')
const sound = Buffer.alloc(100)

describe('bytes that a WAV file lacks', () => {
  test('are none in a whole file, wherever its sound begins', async () => {
    expect(await missing(head, chunk('fmt ', Buffer.alloc(16)), chunk('data', sound))).toBe(0)
    expect(
      await missing(head, chunk('LIST', Buffer.alloc(33)), chunk('data', sound), chunk('id3 ', sound)),
    ).toBe(0)
  })

  test('are counted in a file that was cut short', async () => {
    expect(await missing(head, chunk('fmt ', Buffer.alloc(16)), chunk('data', sound, 5000))).toBe(4900)
  })

  test.each([0, 0x7fff_ffff, 0xffff_ffff])(
    'are unknown where the writer did not know the length (%d)',
    async (length) => {
      expect(await missing(head, chunk('data', sound, length))).toBe(0)
    },
  )

  test('are not looked for in anything else', async () => {
    expect(await missing(Buffer.from('fLaC'), sound)).toBe(0)
    expect(await missing(head)).toBe(0)
    expect(await missing()).toBe(0)
  })
})
