import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
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
    ['mono.flac', ['-c:a', 'flac', '-sample_fmt', 's16', '-ac', '1', '-ar', '32000']],
    ['a.m4a', ['-c:a', 'aac', '-b:a', '192k']],
    ['index-first.m4a', ['-c:a', 'aac', '-b:a', '192k', '-movflags', '+faststart']],
    ['surround.m4a', ['-c:a', 'aac', '-ac', '6']],
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

  test.each([
    ['stereo.flac', ['-c:a', 'flac', '-sample_fmt', 's16']],
    ['finer.flac', ['-c:a', 'flac', '-sample_fmt', 's32', '-ar', '96000']],
    ['single.flac', ['-c:a', 'flac', '-ac', '1', '-ar', '32000']],
    ['lossless.wav', ['-c:a', 'pcm_s24le']],
  ])(
    'tell of %s all renditions, since nothing is lost in it',
    async (name, options) => {
      const path = await makeMusic(folder, name, { seconds: 2, options })
      const guess = await guessSource(path)
      const measureDuration = () => Promise.reject(new Error('not needed'))
      const plans = planRenditions(await probe(path, { signal, measureDuration }))
      const guessed = guess === undefined ? [] : planRenditions(guess)
      expect(guessed.map((plan, place) => isMadeAlike(plan, plans[place] ?? plan))).toEqual(
        plans.map(() => true),
      )
    },
    30_000,
  )

  test.each(['flac', 'm4a'])('are not taken for whole where a %s ends within them', async (kind) => {
    const whole = await makeMusic(folder, `whole.${kind}`, {
      ...{ seconds: 2, options: ['-movflags', '+faststart'].slice(kind === 'm4a' ? 0 : 2) },
    })
    const path = join(folder, `part.${kind}`)
    await writeFile(path, (await readFile(whole)).subarray(0, 41))
    expect(await guessSource(path)).toBeUndefined()
  })

  test('tell nothing where they are no headers, or there is no file', async () => {
    const path = join(folder, 'words')
    await writeFile(path, 'just words')
    expect(await guessSource(path)).toBeUndefined()
    expect(await guessSource(join(folder, 'nothing'))).toBeUndefined()
  })
})
