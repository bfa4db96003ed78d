import { describe, expect, test } from '@jest/globals'
import { KuboFailed, KuboUnavailable } from './kubo/rpc-failure.ts'
import { throughRestarts } from './through-restarts.ts'

const url = 'http://127.0.0.1:5001'

describe('work on a node whose daemon may be restarted', () => {
  test('is done again while the daemon is away', async () => {
    const answers = [new KuboUnavailable(url, 'ECONNREFUSED'), 'done']
    const work = async () => {
      const answer = answers.shift()
      if (answer instanceof Error) throw answer
      return answer
    }
    expect(await throughRestarts(work, AbortSignal.timeout(9_000))).toBe('done')
  })

  test('ends with anything else that goes wrong', async () => {
    const work = () => Promise.reject(new KuboFailed(url, 'no such thing'))
    await expect(throughRestarts(work, AbortSignal.timeout(9_000))).rejects.toThrow('no such thing')
  })

  test('ends when it is told to', async () => {
    const work = () => Promise.reject(new KuboUnavailable(url, 'ECONNREFUSED'))
    await expect(throughRestarts(work, AbortSignal.timeout(50))).rejects.toThrow(/abort/i)
  })
})
