import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '@hexachord/platform/process'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readConfig } from './config.ts'

let folder: string
let whole: Record<string, string>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hexachord-config-'))
  const key = join(folder, 'key')
  await writeFile(key, `0x${'1'.repeat(64)}`, { mode: 0o600 })
  whole = {
    ...{ PORT: '4600', PUBLIC_URL: 'https://node.example', DATA_DIR: '/var/lib/node' },
    ...{ RPC_URL: 'http://127.0.0.1:8545', NETWORK_FILE: '/etc/network.json', LIBP2P_PORT: '4601' },
    ...{ REDIS_URL: 'redis://127.0.0.1:6379', HOT_KEY_FILE: key, RELAYER_KEY_FILE: key },
    OPERATOR_ADDRESS: `0x${'a'.repeat(40)}`,
  }
})
afterAll(() => rm(folder, { recursive: true }))

describe('the configuration', () => {
  test('needs only what nobody else can know', () => {
    expect(readConfig(whole)).toMatchObject({
      ...{ port: 4600, metricsPort: 5600, publishers: 'open', ffmpegPath: 'ffmpeg' },
      ipfs: { backend: 'embedded', listen: ['/ip4/127.0.0.1/tcp/4601'], announce: [] },
      discoveryUrls: [],
      limits: { maximumBytes: 3 * 1024 ** 3, maximumOpen: 1_000, maximumOpenPerAccount: 100 },
    })
  })

  test('knows publishers that are invited', () => {
    expect(readConfig({ ...whole, PUBLISHERS: 'invite' }).publishers).toBe('invite')
  })

  test('knows a list of publishers, in any spelling of their addresses', () => {
    const { publishers } = readConfig({
      ...whole,
      PUBLISHERS: `allowlist:0x${'B'.repeat(40)}, 0x${'c'.repeat(40)}`,
    })
    expect(publishers).toEqual(new Set([`0x${'b'.repeat(40)}`, `0x${'c'.repeat(40)}`]))
  })

  test('names every mistake at once', () => {
    const wrong = {
      ...whole,
      PORT: 'x',
      PUBLISHERS: 'friends',
      REDIS_URL: 'http://redis',
      DAILY_BYTES: 'much',
    }
    const mistakes = mistakesIn({ ...wrong, RELAYER_KEY_FILE: '' })
    expect(mistakes).toEqual(['DAILY_BYTES', 'PORT', 'PUBLISHERS', 'REDIS_URL', 'RELAYER_KEY_FILE'])
  })
})

function mistakesIn(env: Record<string, string>): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.mistakes.map(({ variable }) => variable).sort()
  }
}
