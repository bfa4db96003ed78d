import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { likedWords, type Terms } from './liked-words.ts'

const whole = (word: string) => ({ word, begins: false })
const beginning = (word: string) => ({ word, begins: true })

describe('the words of what is liked best', () => {
  const hymns = likedWords([
    { id: 'first', words: 'ut queant laxis' },
    { id: 'second', words: 'ut resonare' },
    { id: 'third', words: 'ut 日本語' },
    { id: 'none', words: '' },
  ])

  test.each([
    ['a word', [[whole('ut')]], ['first', 'second', 'third']],
    ['a part of a word, which is none', [[whole('resona')]], []],
    ['a beginning', [[beginning('resona')]], ['second']],
    ['a beginning in any script', [[beginning('日')]], ['third']],
    ['all of several', [[whole('ut')], [beginning('la')]], ['first']],
    ['one of several', [[whole('laxis'), whole('resonare')]], ['first', 'second']],
    ['nothing', [[whole('x'), beginning('z')]], []],
  ])('tell who has %s, in their order', (_, terms, found) => {
    expect(hymns.find(terms, 10)).toEqual(found)
  })

  test('tell of no more than are asked for', () => {
    expect(hymns.find([[whole('ut')]], 2)).toEqual(['first', 'second'])
    expect(likedWords([]).find([[whole('ut')]], 2)).toEqual([])
  })

  test('say what reading them one by one says', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '𝄞'), minLength: 1, maxLength: 3 })
    const texts = fc.array(fc.array(word, { maxLength: 4 }), { maxLength: 100 })
    const terms = fc.array(
      fc.array(fc.record({ word, begins: fc.boolean() }), { minLength: 1, maxLength: 3 }),
      {
        ...{ minLength: 1, maxLength: 3 },
      },
    )
    fc.assert(
      fc.property(texts, terms, fc.nat(50), (texts, terms: Terms, atMost) => {
        const entities = texts.map((words, place) => ({ id: `${place}`, words: words.join(' ') }))
        const has = (words: readonly string[]) =>
          terms.every((either) =>
            either.some(({ word, begins }) =>
              words.some((own) => (begins ? own.startsWith(word) : own === word)),
            ),
          )
        const expected = entities.filter((_, place) => has(texts[place] ?? [])).map(({ id }) => id)
        expect(likedWords(entities).find(terms, atMost)).toEqual(expected.slice(0, atMost))
      }),
    )
  })
})
