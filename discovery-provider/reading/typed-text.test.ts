import { describe, expect, test } from '@jest/globals'
import { isUnheard, typedQuery } from './typed-text.ts'

const many = Array.from({ length: 31 }, (_, n) => `lax${n}`)

describe('what is typed', () => {
  test('without a word is nothing', () => {
    expect(typedQuery([], [])).toBeUndefined()
  })

  test('is looked for as it is while it is one word', () => {
    const query = "('lax':*)"
    const terms = [[{ word: 'lax', begins: true }]]
    expect(typedQuery(['lax'], ['laxis'])).toEqual({ terms, words: query, indexed: query })
  })

  test.each([
    ['names the words that begin like the last', 'lax', ['lax', 'laxis'], "('ut') & ('lax' | 'laxis')"],
    ['leaves out a beginning that too many words share', 'lax', many, "('ut')"],
    ['leaves out a beginning that is too short', 'la', ['lax'], "('ut')"],
    ['asks for numbers by their beginning', '199', [], "('ut') & ('199':*)"],
  ])('%s, where other words tell more', (_, last, beginnings, indexed) => {
    const terms = [[{ word: 'ut', begins: false }], [{ word: last, begins: true }]]
    expect(typedQuery(['ut', last], beginnings)).toEqual({
      terms,
      words: `('ut') & ('${last}':*)`,
      indexed,
    })
  })

  test('may be other words that are written alike', () => {
    const whole = (word: string) => ({ word, begins: false })
    expect(typedQuery(['qeant', 'laxsis'], [], [['queant'], ['laxis']])).toEqual({
      terms: [
        [whole('qeant'), whole('queant')],
        [{ word: 'laxsis', begins: true }, whole('laxis')],
      ],
      words: "('qeant' | 'queant') & ('laxsis':* | 'laxis')",
      indexed: "('qeant' | 'queant') & ('laxsis' | 'laxis')",
    })
  })

  test.each([
    ['no known word begins like its last one', ['ut', 'laxsis'], [], true],
    ['a known word does', ['ut', 'lax'], ['laxis'], false],
    ['its last word is too short to be known', ['la'], [], false],
    ['its last word is a number, or has one', ['199'], [], false],
    ['its last word has a digit', ['ut2'], [], false],
    ['there is no word in it', [], [], false],
  ])('is known to be nowhere where %s: %j', (_, words, beginnings, expected) => {
    expect(isUnheard(words, beginnings)).toBe(expected)
  })
})
