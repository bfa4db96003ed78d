import { describe, expect, test } from '@jest/globals'
import * as z from 'zod'
import { type KindName, kinds } from '../actions/index.ts'
import { decodeManifest, ManifestError } from '../manifests/index.ts'
import { checked, parsed } from './index.ts'

/** What JSON can say, and nothing can measure. */
const endless = { length: { toString: '' } }

const fields = Object.entries(kinds).flatMap(([kind, { schema }]) =>
  Object.keys((schema as unknown as { shape?: object }).shape ?? {}).map(
    (field) => [kind as KindName, field] as const,
  ),
)

describe('a value that has a length and no measure', () => {
  test('makes zod throw, which is why this stands here', () => {
    expect(() => z.string().max(5).safeParse(endless)).toThrow(TypeError)
    expect(checked(z.string().max(5), endless)).toMatchObject({ success: false })
    expect(checked(z.string().max(5), 'text')).toEqual({ success: true, data: 'text' })
    expect(() => parsed(z.string().max(5), endless)).toThrow(z.ZodError)
    expect(parsed(z.string().max(5), 'text')).toBe('text')
  })

  test.each(fields)('is refused in an action: %s, %s', (kind, field) => {
    expect(checked(kinds[kind].schema, { [field]: endless })).toMatchObject({ success: false })
  })

  test('is refused in a manifest', () => {
    const json = JSON.stringify({ durationMs: 1_000, kind: 'track', renditions: endless, v: 1 })
    expect(() => decodeManifest(new TextEncoder().encode(json))).toThrow(ManifestError)
  })

  test('is no reason to hide another fault', () => {
    const broken = z.string().refine(() => {
      throw new RangeError('a fault of ours')
    })
    expect(() => checked(broken, 'text')).toThrow('a fault of ours')
  })
})
