import { describe, expect, test } from '@jest/globals'
import { ApiError, patiently, pause } from './index.ts'

const passing = () => new ApiError('busy', { status: 503, url: '' })

describe('patience', () => {
  test('tries again until it works', async () => {
    let attempts = 0
    const result = patiently(
      async () => {
        attempts += 1
        if (attempts < 2) throw passing()
        return 'done'
      },
      { patienceMs: () => 5_000 },
    )
    await expect(result).resolves.toBe('done')
  })

  test('ends at an error that will not pass', async () => {
    const refusal = new ApiError('forbidden', { status: 403, url: '' })
    await expect(patiently(() => Promise.reject(refusal), {})).rejects.toBe(refusal)
    const bug = new TypeError('not a function')
    await expect(patiently(() => Promise.reject(bug), {})).rejects.toBe(bug)
  })

  test('ends with the last error when nothing moves for long enough', async () => {
    const startedAt = performance.now()
    await expect(patiently(() => Promise.reject(passing()), { patienceMs: () => 400 })).rejects.toThrow(
      'busy',
    )
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  test('starts anew with each progress', async () => {
    let attempts = 0
    const result = patiently(
      async (moved) => {
        attempts += 1
        if (attempts === 4) return 'done'
        moved()
        throw passing()
      },
      { patienceMs: () => 500 },
    )
    await expect(result).resolves.toBe('done')
  })

  test('does not wait for a node that asks for more time than there is', async () => {
    const busy = new ApiError('tomorrow', { status: 429, url: '', retryAfterMs: 86_400_000 })
    await expect(patiently(() => Promise.reject(busy), {})).rejects.toBe(busy)
  })

  test('waits as long as the node asks for', async () => {
    let attempts = 0
    const startedAt = performance.now()
    await patiently(
      async () => {
        attempts += 1
        if (attempts === 1) throw new ApiError('soon', { status: 429, url: '', retryAfterMs: 700 })
      },
      { patienceMs: () => 5_000 },
    )
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(690)
  })

  test('is interrupted in a wait', async () => {
    const stop = new AbortController()
    const waiting = patiently(() => Promise.reject(passing()), { signal: stop.signal })
    setImmediate(() => stop.abort(new Error('enough')))
    await expect(waiting).rejects.toThrow('enough')
    await expect(pause(10_000, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
  })
})
