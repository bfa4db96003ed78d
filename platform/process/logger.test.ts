import { describe, expect, test } from '@jest/globals'
import { createLogger } from './logger.ts'

function capture() {
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) }
  return { lines, logger: createLogger({ service: 'creator-node', level: 'debug', destination }) }
}

describe('a logger', () => {
  test('writes one JSON object per line, with time in ms, level in words and the service', () => {
    const { lines, logger } = capture()
    logger.info({ upload: 'u1' }, 'upload finished')
    expect(lines).toEqual([
      {
        level: 'info',
        time: expect.any(Number),
        service: 'creator-node',
        upload: 'u1',
        msg: 'upload finished',
      },
    ])
  })

  test('hides what would let someone act as somebody else, also below other fields', () => {
    const { lines, logger } = capture()
    logger.info({
      authorization: 'Hexachord s3cret',
      headers: { authorization: 'Hexachord s3cret', accept: '*/*' },
      request: { headers: { authorization: 'Hexachord s3cret', cookie: 's3cret' } },
      receipt: { signature: 's3cret', bytes: 7 },
      privateKey: 's3cret',
    })
    expect(JSON.stringify(lines)).not.toContain('s3cret')
    expect(lines[0]).toMatchObject({
      headers: { authorization: '[redacted]', accept: '*/*' },
      receipt: { bytes: 7 },
    })
  })

  test('writes an error with message, stack and cause', () => {
    const { lines, logger } = capture()
    logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed')
    expect(lines[0]?.err).toMatchObject({
      type: 'Error',
      message: expect.stringContaining('inner'),
      stack: expect.any(String),
    })
  })
})
