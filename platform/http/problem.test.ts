import { describe, expect, test } from '@jest/globals'
import { z } from 'zod'
import { Problem, parse } from './problem.ts'

describe('a problem', () => {
  test('has the members of RFC 9457 and its own', () => {
    const problem = new Problem({
      status: 429,
      slug: 'allowance-used-up',
      title: 'Daily allowance used up',
      detail: 'come back tomorrow',
      members: { usedBytes: '1000' },
    })
    expect(problem.details('urn:request:1')).toEqual({
      type: 'urn:hexachord:problem:allowance-used-up',
      title: 'Daily allowance used up',
      status: 429,
      detail: 'come back tomorrow',
      instance: 'urn:request:1',
      usedBytes: '1000',
    })
  })

  test('takes title and type from the status when it has none of its own', () => {
    expect(new Problem({ status: 404, detail: 'no such upload' }).details()).toEqual({
      type: 'urn:hexachord:problem:not-found',
      title: 'Not Found',
      status: 404,
      detail: 'no such upload',
    })
  })

  test('does not let a member hide a standard one', () => {
    const problem = new Problem({
      status: 409,
      detail: 'taken',
      members: { status: 200, type: 'about:blank' },
    })
    expect(problem.details()).toMatchObject({ status: 409, type: 'urn:hexachord:problem:conflict' })
  })
})

describe('parse', () => {
  const schema = z.object({ title: z.string().max(5), parts: z.array(z.object({ seconds: z.int() })) })

  test('gives the checked value', () => {
    expect(parse(schema, { title: 'a', parts: [] })).toEqual({ title: 'a', parts: [] })
    // Zod itself throws at this.
    expect(() => parse(schema, { title: { length: { toString: '' } }, parts: [] })).toThrow(Problem)
  })

  test('names each field that is wrong', () => {
    try {
      parse(schema, { title: 'too long', parts: [{ seconds: 1 }, { seconds: 'x' }] })
      throw new Error('it was accepted')
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      expect(error.details()).toMatchObject({
        status: 400,
        errors: [
          { path: 'title', detail: expect.any(String) },
          { path: 'parts.1.seconds', detail: expect.any(String) },
        ],
      })
      expect(error.message).toContain('parts.1.seconds: ')
    }
  })
})
