import { describe, expect, test } from '@jest/globals'
import { benches } from '../benches/index.ts'
import { whatIsWrong } from './bench-suite.ts'

describe('a bench', () => {
  test('ends in a line of JSON with its name and its ratio', () => {
    expect(whatIsWrong('scrub', 'words\n{"bench":"scrub","ratio":0.9}\n')).toBeUndefined()
  })

  test.each([
    ['nothing', '', 'no JSON'],
    ['words', '{"bench":"scrub","ratio":0.9}\nthe end', 'no JSON'],
    ['another name', '{"bench":"start","ratio":0.9}', 'that of start'],
    ['no ratio', '{"bench":"scrub","ratio":null}', 'ratio is null'],
    ['a ratio of nothing', '{"bench":"scrub","ratio":0}', 'ratio is 0'],
    ['no object', '1', 'that of undefined'],
  ])('that ends in %s has failed', (_, output, reason) => {
    expect(whatIsWrong('scrub', output)).toContain(reason)
  })

  test('has a name of its own', () => {
    const names = benches.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})
