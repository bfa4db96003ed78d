import { largestAmount } from '@hexachord/protocol/payments'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readPaymentSignature } from './x402.ts'

const network = 'eip155:31337'
const hex = (bytes: number) =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => `0x${Buffer.from(value).toString('hex')}`)
const amount = fc.bigInt({ min: 0n, max: largestAmount })
const payment = fc.record({
  session: fc.stringMatching(/^[\w-]{1,100}$/),
  voucher: fc.record(
    {
      payer: hex(20),
      base: amount.map(String),
      cumulative: amount.map(String),
      lines: fc.nat({ max: 3 }).chain((lines) => hex(64 * lines)),
      signature: hex(65),
    },
    { noNullPrototype: true },
  ),
})
const text = payment.map((payload) =>
  JSON.stringify({ x402Version: 2, accepted: { scheme: 'stream-voucher', network }, payload }),
)

/** What is read, or why not. */
function read(json: string): unknown {
  try {
    return readPaymentSignature(Buffer.from(json).toString('base64'), network)
  } catch (error) {
    return String(error)
  }
}

test('a payment that is written as always is read as any other, with all that may be wrong with it', () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    length: fc.nat({ max: 2 }),
    put: fc.constantFrom('', '0', 'A', 'g', '-', '"', ',', '\\u0030', '1e9', '00'),
  })
  fc.assert(
    fc.property(text, fc.option(change), (json, changed) => {
      const at = Math.floor((changed?.at ?? 0) * json.length)
      const sent = changed ? json.slice(0, at) + changed.put + json.slice(at + changed.length) : json
      // The blank changes nothing but the way on which it is read.
      expect(read(sent)).toEqual(read(`${sent} `))
    }),
    { numRuns: 2_000 },
  )
  fc.assert(fc.property(text, (json) => expect(read(json)).toMatchObject({ voucher: {} })))
})
