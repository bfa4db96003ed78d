import { describe, expect, test } from '@jest/globals'
import { createLifecycle } from './lifecycle.ts'

describe('a lifecycle', () => {
  test('closes the last opened first, and each only after the one before', async () => {
    const lifecycle = createLifecycle()
    const seen: string[] = []
    for (const name of ['database', 'queue', 'server']) {
      lifecycle.onClose(name, async () => {
        seen.push(`${name} closes`)
        await Promise.resolve()
        seen.push(`${name} closed`)
      })
    }
    await lifecycle.close()
    expect(seen).toEqual([
      'server closes',
      'server closed',
      'queue closes',
      'queue closed',
      'database closes',
      'database closed',
    ])
  })

  test('aborts its signal before anything closes', async () => {
    const lifecycle = createLifecycle()
    let abortedAtClose: boolean | null = null
    lifecycle.onClose('server', () => {
      abortedAtClose = lifecycle.signal.aborted
    })
    expect(lifecycle.signal.aborted).toBe(false)
    await lifecycle.close()
    expect(abortedAtClose).toBe(true)
  })

  test('closes once, however often it is asked to', async () => {
    const lifecycle = createLifecycle()
    let closed = 0
    lifecycle.onClose('server', () => {
      closed += 1
    })
    await Promise.all([lifecycle.close(), lifecycle.close()])
    await lifecycle.close()
    expect(closed).toBe(1)
  })

  test('tries everything and then tells every failure', async () => {
    const lifecycle = createLifecycle()
    let closed = false
    lifecycle.onClose('database', () => {
      closed = true
    })
    lifecycle.onClose('queue', () => Promise.reject(new Error('redis is gone')))
    lifecycle.onClose('server', () => {
      throw new Error('no such socket')
    })
    const failure: unknown = await lifecycle.close().catch((error: unknown) => error)
    if (!(failure instanceof AggregateError)) throw failure
    expect(failure.errors.map(String)).toEqual([
      'Error: closing server failed',
      'Error: closing queue failed',
    ])
    expect(closed).toBe(true)
  })

  test('closes what is opened while it closes, and refuses what comes after', async () => {
    const lifecycle = createLifecycle()
    let lateClosed = false
    lifecycle.onClose('server', () => {
      lifecycle.onClose('late', () => {
        lateClosed = true
      })
    })
    await lifecycle.close()
    expect(lateClosed).toBe(true)
    expect(() => lifecycle.onClose('too late', () => {})).toThrow('after the process had closed')
  })

  test('names what is still open, next first', () => {
    const lifecycle = createLifecycle()
    lifecycle.onClose('database', () => {})
    lifecycle.onClose('server', () => {})
    expect(lifecycle.open()).toEqual(['server', 'database'])
  })
})
