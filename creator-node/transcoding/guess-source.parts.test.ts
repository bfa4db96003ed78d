import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { makeMusic } from '../fixtures/test-music.ts'
import { guessSource, isMadeAlike, planRenditions, probe } from './index.ts'

const signal = AbortSignal.timeout(60_000)
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-guessing-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('the first headers of a file', () => {
  test.each([
    ['a.flac', ['-c:a', 'flac', '-sample_fmt', 's16']],
    ['fine.flac', ['-c:a', 'flac', '-sample_fmt', 's32', '-ar', '96000']],
    ['a.m4a', ['-c:a', 'aac', '-b:a', '192k']],
    ['alac.m4a', ['-c:a', 'alac']],
    ['a.mp3', ['-c:a', 'libmp3lame', '-b:a', '320k']],
    ['mono.mp3', ['-c:a', 'libmp3lame', '-b:a', '96k', '-ac', '1']],
    ['a.wav', ['-c:a', 'pcm_s16le']],
    ['a.ogg', ['-c:a', 'libvorbis', '-b:a', '192k']],
  ])(
    'tell of %s which rendition comes first',
    async (name, options) => {
      const path = await makeMusic(folder, name, { seconds: 7, options })
      const guess = await guessSource(path)
      const measureDuration = () => Promise.reject(new Error('not needed'))
      const [first] = planRenditions(await probe(path, { signal, measureDuration }))
      const [guessed] = guess === undefined ? [] : planRenditions(guess)
      if (first === undefined || guessed === undefined) throw new Error(`nothing was guessed of ${name}`)
      expect(isMadeAlike(guessed, first)).toBe(true)
    },
    30_000,
  )

  test('tell nothing where they are no headers, or there is no file', async () => {
    const path = join(folder, 'words')
    await writeFile(path, 'just words')
    expect(await guessSource(path)).toBeUndefined()
    expect(await guessSource(join(folder, 'nothing'))).toBeUndefined()
  })
})
