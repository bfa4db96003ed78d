import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '@hexachord/platform/process'
import { afterAll, describe, expect, test } from '@jest/globals'
import { readConfig } from './config.ts'

const directory = mkdtempSync(join(tmpdir(), 'hexachord-config-'))
afterAll(() => rmSync(directory, { recursive: true }))
const keyFile = join(directory, 'hot.key')
writeFileSync(keyFile, `0x${'11'.repeat(32)}`, { mode: 0o600 })

const environment = {
  PORT: '4620',
  PUBLIC_URL: 'https://node.example',
  DATA_DIR: '/srv/hexachord',
  RPC_URL: 'http://127.0.0.1:4640',
  NETWORK_FILE: '/srv/network.json',
  OPERATOR_ADDRESS: `0x${'ab'.repeat(20)}`,
  HOT_KEY_FILE: keyFile,
  LIBP2P_PORT: '4001',
  CAPACITY_BYTES: '2TiB',
}

describe('the configuration of a content service', () => {
  test('needs only what nobody else can know', () => {
    expect(readConfig(environment)).toMatchObject({
      host: '127.0.0.1',
      port: 4620,
      metricsPort: 5620,
      publicUrl: 'https://node.example',
      operator: `0x${'ab'.repeat(20)}`,
      ipfs: { backend: 'embedded', listen: ['/ip4/127.0.0.1/tcp/4001'], announce: [] },
      capacityBytes: 2 * 1024 ** 4,
      allowPrivateAddresses: false,
    })
  })

  test('listens for peers where it listens for everybody else', () => {
    const listens = (HOST: string) => readConfig({ ...environment, HOST }).ipfs
    expect(listens('::')).toMatchObject({ listen: ['/ip6/::/tcp/4001'] })
    expect(listens('0.0.0.0')).toMatchObject({ listen: ['/ip4/0.0.0.0/tcp/4001'] })
  })

  test('names every mistake at once', () => {
    try {
      readConfig({ ...environment, CAPACITY_BYTES: 'much', OPERATOR_ADDRESS: '0x1', LIBP2P_ANNOUNCE: 'here' })
      throw new Error('it was accepted')
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
      const variables = (error as ConfigError).mistakes.map(({ variable }) => variable)
      expect(variables.sort()).toEqual(['CAPACITY_BYTES', 'LIBP2P_ANNOUNCE', 'OPERATOR_ADDRESS'])
    }
  })
})
