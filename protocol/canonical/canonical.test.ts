import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  CanonicalError,
  decodeCanonicalJson,
  encodeCanonicalJson,
  type Json,
  parseCanonicalJson,
  toCanonicalJson,
} from './index.ts'

const { value: anyJson } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 4 }),
  ),
}))

describe('canonical JSON', () => {
  test('has one spelling for a value', () => {
    expect(toCanonicalJson({ b: [1, -2, null, true], a: 'ü"\n', '': {} })).toBe(
      '{"":{},"a":"ü\\"\\n","b":[1,-2,null,true]}',
    )
  })

  test('comes back as it was, from text and from bytes', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(parseCanonicalJson(toCanonicalJson(value))).toEqual(value)
        expect(decodeCanonicalJson(encodeCanonicalJson(value))).toEqual(value)
        expect(toCanonicalJson(decodeCanonicalJson(encodeCanonicalJson(value)))).toBe(toCanonicalJson(value))
      }),
    )
  })

  test('does not depend on the order in which members were set', () => {
    const members = fc.uniqueArray(fc.tuple(fc.string(), anyJson), { selector: ([key]) => key, maxLength: 6 })
    fc.assert(
      fc.property(members, (members) => {
        const one = Object.fromEntries(members)
        const other = Object.fromEntries(members.toReversed())
        expect(toCanonicalJson(one)).toBe(toCanonicalJson(other))
      }),
    )
  })

  test('sorts by code unit, on every machine alike', () => {
    expect(toCanonicalJson({ ä: 1, z: 2, Z: 3, '\u{1f3b5}': 4, '\ufb01': 5, 10: 6, 9: 7 })).toBe(
      '{"10":6,"9":7,"Z":3,"z":2,"ä":1,"\u{1f3b5}":4,"\ufb01":5}',
    )
  })

  test('leaves out members without a value', () => {
    expect(toCanonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}')
  })

  test.each<[string, Json]>([
    ['a fraction', 1.5],
    ['an unsafe integer', 2 ** 53],
    ['minus zero', -0],
    ['no number', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['half of a surrogate pair', '\ud83c'],
    ['half of a surrogate pair in a key', { '\udfb5': 1 }],
    ['more nesting than any machine must bear', nested(33)],
  ])('is not there for %s', (_, value) => {
    expect(() => toCanonicalJson(value)).toThrow(CanonicalError)
    expect(() => toCanonicalJson([{ a: value }])).toThrow(CanonicalError)
  })

  test.each([
    ['white space', '{"a": 1}'],
    ['a line end', '{}\n'],
    ['unsorted keys', '{"b":1,"a":1}'],
    ['a key twice', '{"a":1,"a":1}'],
    ['a fraction', '[0.5]'],
    ['an exponent', '[1e3]'],
    ['minus zero', '[-0]'],
    ['an unsafe integer', '[9007199254740993]'],
    ['an escape that is not needed', '"\\u0041"'],
    ['another escape', '"\\u000a"'],
    ['an escaped half of a surrogate pair', '"\\ud83c"'],
    ['a byte order mark', '\ufeff{}'],
    ['a trailing comma', '[1,]'],
    ['nothing', ''],
    ['a word', 'undefined'],
  ])('is not a text with %s', (_, text) => {
    expect(() => parseCanonicalJson(text)).toThrow(CanonicalError)
    expect(() => decodeCanonicalJson(new TextEncoder().encode(text))).toThrow(CanonicalError)
  })

  test.each([32, 33, 4_000, 100_000])('is refused when nested %i deep only if that is too deep', (depth) => {
    const text = '['.repeat(depth) + ']'.repeat(depth)
    if (depth <= 32) expect(parseCanonicalJson(text)).toEqual(nested(depth))
    else expect(() => parseCanonicalJson(text)).toThrow(CanonicalError)
  })

  test('is not bytes that are not UTF-8', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0x80, 0x22],
      [0xef, 0xbb, 0xbf, 0x31],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(() => decodeCanonicalJson(Uint8Array.from(bytes))).toThrow(CanonicalError)
    }
  })

  test('knows no prototypes', () => {
    const text = '{"__proto__":{"isAdmin":true},"constructor":1}'
    const value = parseCanonicalJson(text)
    expect(toCanonicalJson(value)).toBe(text)
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })
})

function nested(depth: number): Json {
  let value: Json = []
  for (let i = 1; i < depth; i++) value = [value]
  return value
}
