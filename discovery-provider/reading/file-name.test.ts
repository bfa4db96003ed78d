import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { fileNameOf } from './file-name.ts'

describe('the name of a file', () => {
  test.each([
    [{ artist: 'Björk', title: 'Jóga' }, 'Björk - Jóga'],
    [{ artist: '../../etc', title: 'C:\\x|y?' }, 'etc - C x y'],
    [{ artist: 'AC/DC', title: 'What is "it"?' }, 'AC DC - What is it'],
    [{ artist: '🎻', title: 'to 👩‍🎤...' }, '🎻 - to 👩‍🎤'],
    [{ artist: 'x', title: 'song\u202egpj.exe' }, 'x - song gpj.exe'],
    [{ artist: '.', title: '.' }, '- '.trim()],
  ])('of %j is %j', (track, name) => {
    expect(fileNameOf(track)).toBe(name)
  })

  test('is one that every system takes, whatever strangers call their music', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary', maxLength: 400 }),
        (artist, title) => {
          const name = fileNameOf({ artist, title })
          expect(name).not.toMatch(/[\p{Cc}/\\:*?"<>|\u202e]|^[\s.]|[\s.]$/u)
          expect(name.isWellFormed()).toBe(true)
          expect(name.length).toBeGreaterThan(0)
          expect(Array.from(name).length).toBeLessThanOrEqual(120)
        },
      ),
    )
  })
})
