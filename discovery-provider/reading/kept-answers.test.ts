import { describe, expect, test } from '@jest/globals'
import { keepAnswers } from './kept-answers.ts'

describe('an answer that is kept', () => {
  const made: string[] = []
  let nowMs = 0
  const keep = keepAnswers<string>({ forMs: 1_000, atMost: 2, now: () => nowMs })
  const ask = (key: string) =>
    keep(key, async () => {
      made.push(key)
      return `${key} ${made.length}`
    })

  test('is made once for all who ask meanwhile, and again when it is too old', async () => {
    expect(await Promise.all([ask('a'), ask('a')])).toEqual(['a 1', 'a 1'])
    nowMs = 999
    expect(await ask('a')).toBe('a 1')
    nowMs = 1_000
    expect(await ask('a')).toBe('a 2')
  })

  test('makes room for newer ones', async () => {
    await ask('b')
    await ask('c')
    expect(await ask('b')).toBe('b 3')
    expect(await ask('a')).toBe('a 5')
  })

  test('is made anew after a failure', async () => {
    const failing = keep('d', () => Promise.reject(new Error('away')))
    await expect(Promise.all([failing, ask('d')])).rejects.toThrow('away')
    expect(await ask('d')).toBe('d 6')
  })
})
