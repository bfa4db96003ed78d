import { expect, test } from '@jest/globals'
import { createJoin } from './joined-texts.ts'

test('texts are put together, and stay what they are when others follow', () => {
  const join = createJoin()
  const first = join(['{"a":', Buffer.from('"Jóga"'), '}'])
  const large = join(['é'.repeat(600_000), 'x'])
  const others = Array.from({ length: 100 }, (_, n) => join([`${n}`, Buffer.alloc(50_000, 'y')]))
  expect(first.toString()).toBe('{"a":"Jóga"}')
  expect(large.toString()).toBe(`${'é'.repeat(600_000)}x`)
  expect(others.map((text) => text.toString())).toEqual(others.map((_, n) => `${n}${'y'.repeat(50_000)}`))
  expect(join([]).toString()).toBe('')
})
