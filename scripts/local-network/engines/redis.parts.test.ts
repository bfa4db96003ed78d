import { stat } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import { freePort } from '../../testing/free-port.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../../testing/temporary-folder.ts'
import { startRedis } from './redis.ts'

const signal = AbortSignal.timeout(120_000)
let folder: TemporaryFolder
beforeEach(async () => {
  folder = await makeTemporaryFolder()
})
afterEach(() => folder.remove())

describe('our own Redis', () => {
  test('refuses whoever does not know its password, keeps nothing, and evicts nothing', async () => {
    const directory = path.join(folder.path, 'redis with a "quote"')
    const port = await freePort()
    const redis = await startRedis({ directory, port, signal })
    const friend = new Redis(redis.url)
    const stranger = new Redis({
      port,
      host: '127.0.0.1',
      enableReadyCheck: false,
      retryStrategy: () => null,
    })
    try {
      expect(await friend.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
      expect(await friend.config('GET', 'save')).toEqual(['save', ''])
      expect(await friend.config('GET', 'bind')).toEqual(['bind', '127.0.0.1'])
      await expect(stranger.get('key')).rejects.toThrow('NOAUTH')
      expect((await stat(path.join(directory, 'redis.conf'))).mode & 0o777).toBe(0o600)
    } finally {
      await friend.quit()
      await stranger.quit()
      await redis.close()
    }
  }, 30_000)

  test('comes back under the same URL after a kill -9', async () => {
    const options = { directory: folder.path, port: await freePort(), signal }
    const killed = await startRedis(options)
    await killed.kill()
    expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' })
    const redis = await startRedis(options)
    expect(redis.url).toBe(killed.url)
    await redis.close()
  }, 30_000)
})
