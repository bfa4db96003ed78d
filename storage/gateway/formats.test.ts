import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { contentDisposition } from './file-names.ts'
import { chooseFormat } from './formats.ts'

describe('what comes from outside', () => {
  test('any Accept is either understood or refused as such', async () => {
    const accept = fc.oneof(fc.string(), fc.stringMatching(/^[a-z*/;q=.,0-9 ]{0,60}$/))
    await fc.assert(
      fc.property(accept, fc.constantFrom('raw' as const, 'dag-json' as const), (value, codec) => {
        try {
          const { format } = chooseFormat(new URLSearchParams(), value, codec)
          expect(['raw', 'car', 'dag-json', 'json', 'file']).toContain(format)
        } catch (error) {
          expect(error).toMatchObject({ name: 'Problem', status: 406 })
        }
      }),
    )
  })

  test('any file name makes a header that a server can send, on one line and closed', async () => {
    await fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(contentDisposition('inline', name)).toMatch(
          /^inline; filename="[\x20-\x21\x23-\x7e]*"(; filename\*=UTF-8''[A-Za-z0-9.%_~!-]*)?$/,
        )
      }),
    )
  })
})
