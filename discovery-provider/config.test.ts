import { describe, expect, test } from '@jest/globals'
import { readConfig } from './config.ts'

const env = {
  PORT: '4610',
  PUBLIC_URL: 'https://discovery.example',
  RPC_URL: 'http://127.0.0.1:4640',
  NETWORK_FILE: 'network.json',
  DATABASE_URL: 'postgres://user:password@127.0.0.1:4650/discovery',
}

describe('the configuration', () => {
  test('needs no more than where things are', () => {
    expect(readConfig(env)).toEqual({
      host: '127.0.0.1',
      port: 4610,
      metricsPort: 5610,
      publicUrl: 'https://discovery.example',
      rpcUrls: ['http://127.0.0.1:4640'],
      networkFile: 'network.json',
      databaseUrl: env.DATABASE_URL,
      archives: 'auto',
      peerProviders: [],
      honoured: [],
      appPasswordKeyFile: undefined,
      requestsPerSecond: 50,
      writingKeyFile: undefined,
      allowPrivateAddresses: false,
    })
  })

  test('says where to find archives', () => {
    const ARCHIVES = 'https://one.example, https://two.example/'
    expect(readConfig({ ...env, ARCHIVES }).archives).toEqual(['https://one.example', 'https://two.example'])
    expect(readConfig({ ...env, ARCHIVES: 'off' }).archives).toBe('off')
    expect(() => readConfig({ ...env, ARCHIVES: 'somewhere' })).toThrow(
      /ARCHIVES: must be auto, off, or origins/,
    )
  })

  test('names other providers to compare with', () => {
    const PEER_PROVIDERS = 'https://one.example, https://two.example/'
    expect(readConfig({ ...env, PEER_PROVIDERS }).peerProviders).toEqual([
      'https://one.example',
      'https://two.example',
    ])
    expect(() => readConfig({ ...env, PEER_PROVIDERS: 'https://one.example/v1' })).toThrow(/PEER_PROVIDERS/)
  })

  test('names the accounts whose notices it honours, as nodes do', () => {
    const HONOUR_NOTICES_OF = `0x${'cd'.repeat(20)}, 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266`
    expect(readConfig({ ...env, HONOUR_NOTICES_OF }).honoured).toEqual([
      `0x${'cd'.repeat(20)}`,
      '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
    ])
    expect(() => readConfig({ ...env, HONOUR_NOTICES_OF: 'an office' })).toThrow(/HONOUR_NOTICES_OF/)
  })

  test('may say where the key of app passwords is kept', () => {
    expect(readConfig({ ...env, APP_PASSWORD_KEY_FILE: '/keys/one' }).appPasswordKeyFile).toBe('/keys/one')
    // An empty variable is as good as none.
    expect(readConfig({ ...env, APP_PASSWORD_KEY_FILE: '' }).appPasswordKeyFile).toBeUndefined()
  })

  test('tells all mistakes at once', () => {
    expect(() => readConfig({ ...env, PORT: 'http', DATABASE_URL: 'mysql://x', RPC_URL: '' })).toThrow(
      /PORT: .*\n.*RPC_URL: is not set\n.*DATABASE_URL: must be a postgres:\/\/ URL/,
    )
  })

  test('puts metrics on a port of the system when the API is on one', () => {
    expect(readConfig({ ...env, PORT: '0' }).metricsPort).toBe(0)
    expect(readConfig({ ...env, METRICS_PORT: '9000' }).metricsPort).toBe(9000)
  })
})
