import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  type Address,
  addressToBytes32,
  authorOf,
  freshNumber,
  isSubject,
  largestNumber,
  NameError,
  numberOf,
  parseAddress,
  parseSubject,
  subjectFromBytes32,
  subjectOf,
  subjectSchema,
  subjectToBytes32,
  userSubject,
} from './index.ts'

const author: Address = '0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed'
const anyAuthor = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes): Address => `0x${Buffer.from(bytes).toString('hex')}`)
const anyNumber = fc.bigInt({ min: 0n, max: largestNumber })

describe('an address', () => {
  test('is read in any case, with a right checksum where there is one', () => {
    expect(parseAddress('0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed')).toBe(author)
    expect(parseAddress(author)).toBe(author)
    expect(parseAddress(`0x${author.slice(2).toUpperCase()}`)).toBe(author)
  })

  test.each([
    ['a letter of another case', '0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', /checksum/],
    ['no 0x', author.slice(2), /40 hex digits/],
    ['another base', 'XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS', /40 hex digits/],
    ['a digit too few', author.slice(0, -1), /40 hex digits/],
    ['a line end', `${author}\n`, /40 hex digits/],
    ['nothing', '', /40 hex digits/],
  ])('is refused with %s', (_, text, message) => {
    expect(() => parseAddress(text)).toThrow(NameError)
    expect(() => parseAddress(text)).toThrow(message)
  })

  test('fills a word of the chain from the right', () => {
    expect(addressToBytes32(author)).toBe(`0x${'00'.repeat(12)}${author.slice(2)}`)
  })
})

describe('a subject', () => {
  test('comes back from text and from the chain as it was', () => {
    fc.assert(
      fc.property(anyAuthor, anyNumber, (author, number) => {
        const subject = subjectOf(author, number)
        expect(parseSubject(subject)).toBe(subject)
        expect(authorOf(subject)).toBe(author)
        expect(numberOf(subject)).toBe(number)
        expect(subjectFromBytes32(subjectToBytes32(subject))).toBe(subject)
        expect(subjectFromBytes32(subjectToBytes32(subject).toUpperCase().replace('0X', '0x'))).toBe(subject)
      }),
    )
  })

  test('is another one for another author or number', () => {
    const pair = fc.tuple(anyAuthor, anyNumber)
    fc.assert(
      fc.property(pair, pair, (one, other) => {
        const isSame = one[0] === other[0] && one[1] === other[1]
        expect(subjectToBytes32(subjectOf(...one)) === subjectToBytes32(subjectOf(...other))).toBe(isSame)
      }),
    )
  })

  test.each([
    ['a capital letter', `${author.replace('a', 'A')}-1`],
    ['no number', `${author}-`],
    ['a leading zero', `${author}-01`],
    ['a sign', `${author}-+1`],
    ['a fraction', `${author}-1.0`],
    ['a number of 97 bits', `${author}-${largestNumber + 1n}`],
    ['a number of 30 digits', `${author}-${'9'.repeat(30)}`],
    ['white space', ` ${author}-1`],
    ['a line end', `${author}-1\n`],
    ['digits of another script', `${author}-\u0661`],
    ['a short author', `${author.slice(0, -1)}-1`],
    ['nothing', ''],
  ])('is refused with %s', (_, text) => {
    expect(isSubject(text)).toBe(false)
    expect(subjectSchema.safeParse(text).success).toBe(false)
    expect(() => parseSubject(text)).toThrow(NameError)
  })

  test.each([[null], [undefined], [1], [{}], [[`${author}-1`]]])('is no %p', (value) => {
    expect(isSubject(value)).toBe(false)
  })

  test('has no number outside its 96 bits', () => {
    expect(() => subjectOf(author, -1n)).toThrow(NameError)
    expect(() => subjectOf(author, largestNumber + 1n)).toThrow(NameError)
    expect(() => subjectFromBytes32('0x12')).toThrow(NameError)
  })

  test('stands for its author under the number 0', () => {
    expect(userSubject(author)).toBe(`${author}-0`)
  })
})

describe('a fresh number', () => {
  test('fits, and is never the one of the user', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), (bytes) => {
        const number = freshNumber(() => bytes.slice())
        expect(number > 0n && number < 2n ** 95n).toBe(true)
      }),
    )
    expect(freshNumber((into) => into)).toBe(1n)
  })

  test('is not met twice', () => {
    const numbers = Array.from({ length: 1_000 }, () => freshNumber((bytes) => crypto.getRandomValues(bytes)))
    expect(new Set(numbers).size).toBe(1_000)
  })
})
