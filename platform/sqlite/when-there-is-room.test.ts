import { describe, expect, test } from '@jest/globals'
import { whenThereIsRoom } from './when-there-is-room.ts'

const full = () => Object.assign(new Error('database or disk is full'), { errcode: 13 })

function logs() {
  const lines: string[] = []
  const note = (_: unknown, message: string) => lines.push(message)
  return { lines, logger: { error: note, info: note } as never }
}

describe('work that needs room', () => {
  test('is done again until there is some; the log says so once, and when it is over', async () => {
    const { lines, logger } = logs()
    let tries = 0
    const work = () => {
      tries += 1
      if (tries < 4) throw full()
      return tries
    }
    const { signal } = new AbortController()
    expect(await whenThereIsRoom(work, { what: 'a test', signal, logger, retryMs: 1 })).toBe(4)
    expect(lines).toEqual(['the disk is full: this waits for room', 'there is room on the disk again'])
  })

  test('fails at once with anything else, and says nothing when there is nothing to say', async () => {
    const { lines, logger } = logs()
    const options = { what: 'a test', signal: new AbortController().signal, logger, retryMs: 1 }
    const broken = async () => {
      throw Object.assign(new Error('disk I/O error'), { errcode: 10 })
    }
    await expect(whenThereIsRoom(broken, options)).rejects.toThrow('disk I/O error')
    expect(await whenThereIsRoom(() => 'done', options)).toBe('done')
    expect(lines).toEqual([])
  })

  test('ends with its signal', async () => {
    const { logger } = logs()
    const ending = new AbortController()
    const waiting = whenThereIsRoom(
      () => {
        ending.abort()
        throw full()
      },
      { what: 'a test', signal: ending.signal, logger },
    )
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
  })
})
