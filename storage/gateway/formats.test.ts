import { describe, expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { carEtag, readCarRequest, requireBytesWithin } from './car.ts'
import { isOnlyIfCached, isUnchanged, requestedRange } from './conditions.ts'
import { contentDisposition } from './file-names.ts'
import { chooseFormat } from './formats.ts'
import { readCid } from './requested-block.ts'

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

  test('any text in the place of a CID is one, in its one accepted spelling, or refused as none', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^(b|z|k|Qm|bafkrei|bafkqa|baguqeera)[a-zA-Z0-9]{0,60}$/),
    )
    await fc.assert(
      fc.property(text, (value) => {
        try {
          const { cid } = readCid(value)
          expect(readCid(cid).cid).toBe(cid)
        } catch (error) {
          expect(error).toMatchObject({ name: 'Problem', status: 400 })
        }
      }),
    )
  })

  test.each(['z', 'k', 'Qm', 'b'])('a text of %s and 16,000 letters more is refused unread', (beginning) => {
    const startMs = performance.now()
    expect(() => readCid(beginning + 'a'.repeat(16_000))).toThrow('is not a CID')
    expect(performance.now() - startMs).toBeLessThan(100)
  })

  test('any Range is a part within the block, the whole, or none', async () => {
    const range = fc.oneof(fc.string(), fc.stringMatching(/^bytes=-?\d{0,12}-?\d{0,12}(,\d{0,4}-\d{0,4})?$/))
    await fc.assert(
      fc.property(range, fc.nat(5_000), (value, size) => {
        const part = requestedRange({ range: value }, size, '"a"')
        if (typeof part === 'string') return
        expect(part.start).toBeGreaterThanOrEqual(0)
        expect(part.end).toBeGreaterThanOrEqual(part.start)
        expect(part.end).toBeLessThan(size)
      }),
    )
  })

  test('any condition is understood or means nothing', async () => {
    await fc.assert(
      fc.property(fc.string(), (value) => {
        expect(typeof isUnchanged({ 'if-none-match': value }, '"a"')).toBe('boolean')
        expect(isUnchanged({ 'if-none-match': `${value.replaceAll(',', '')}, W/"a"` }, '"a"')).toBe(true)
        expect(isOnlyIfCached({ 'cache-control': `${value.replaceAll(',', '')}, Only-If-Cached ` })).toBe(
          true,
        )
      }),
    )
  })

  test('any wish for a CAR is met or refused, and wishes that may be met differently have different ETags', async () => {
    const bytes = fc.oneof(fc.string(), fc.stringMatching(/^-?\d{1,16}:(\*|-?\d{1,16})$/))
    const scope = fc.option(fc.oneof(fc.string(), fc.constantFrom('block', 'entity', 'all')))
    const wish = fc.record({ bytes, scope })
    const read = ({ bytes, scope }: { bytes: string; scope: string | null }) => {
      const query = new URLSearchParams({ 'entity-bytes': bytes })
      if (scope !== null) query.set('dag-scope', scope)
      try {
        const request = readCarRequest(query, new Map())
        requireBytesWithin(request, 2_000)
        return request
      } catch (error) {
        expect(error).toMatchObject({ name: 'Problem', status: 400 })
        return undefined
      }
    }
    await fc.assert(
      fc.property(wish, wish, (one, other) => {
        const [first, second] = [read(one), read(other)]
        if (first === undefined || second === undefined) return
        const isSame = JSON.stringify(first) === JSON.stringify(second)
        expect(carEtag(['a'], first) === carEtag(['a'], second)).toBe(isSame)
      }),
    )
  })
})
