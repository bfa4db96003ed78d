import { type Address, largestNumber, subjectOf } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { opaqueSubject, opaqueUser, subjectOfOpaque, userOfOpaque } from './opaque-ids.ts'

const anyAddress = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes): Address => `0x${Buffer.from(bytes).toString('hex')}`)
const anyNumber = fc.bigInt({ min: 1n, max: largestNumber })

describe('an opaque id', () => {
  test('leads back to its subject, in at most 43 letters and digits', () => {
    fc.assert(
      fc.property(anyAddress, anyNumber, (author, number) => {
        const subject = subjectOf(author, number)
        const id = opaqueSubject(subject)
        expect(id).toMatch(/^[0-9a-zA-Z]{1,43}$/)
        expect([subjectOfOpaque(id), userOfOpaque(id)]).toEqual([subject, undefined])
      }),
    )
  })

  test('leads back to its user, in at most 27', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        const id = opaqueUser(address)
        expect(id).toMatch(/^[0-9a-zA-Z]{1,27}$/)
        expect([userOfOpaque(id), subjectOfOpaque(id)]).toEqual([address, undefined])
      }),
    )
  })

  test('has one spelling: what is read is what would be written', () => {
    const anyWord = fc.stringMatching(/^[0-9a-zA-Z]{1,44}$/)
    fc.assert(
      fc.property(anyWord, (word) => {
        const subject = subjectOfOpaque(word)
        const user = userOfOpaque(word)
        if (subject !== undefined) expect(opaqueSubject(subject)).toBe(word)
        if (user !== undefined) expect(opaqueUser(user)).toBe(word)
      }),
    )
  })

  test.each(['', '01', '-', 'a b', 'é', 'Z'.repeat(43), 'a'.repeat(44)])('is not %p', (word) => {
    expect([subjectOfOpaque(word), userOfOpaque(word)]).toEqual([undefined, undefined])
  })
})
