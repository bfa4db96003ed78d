import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfigError, type Environment, loadConfig } from '@hexachord/platform/process'
import { afterAll, describe, expect, test } from '@jest/globals'
import * as z from 'zod'
import { nodeConfig, nodeVariables, tillTermsOn } from './variables.ts'

const directory = mkdtempSync(join(tmpdir(), 'hexachord-node-variables-'))
afterAll(() => rmSync(directory, { recursive: true }))
const keyFile = join(directory, 'hot.key')
writeFileSync(keyFile, `0x${'11'.repeat(32)}`, { mode: 0o600 })

const environment = {
  ...{ PORT: '4620', PUBLIC_URL: 'https://node.example', DATA_DIR: '/srv/hexachord' },
  ...{ RPC_URL: 'http://127.0.0.1:4640', NETWORK_FILE: '/srv/network.json' },
  ...{ OPERATOR_ADDRESS: `0x${'ab'.repeat(20)}`, HOT_KEY_FILE: keyFile },
}

const backendOf = (more: Environment) =>
  nodeConfig(loadConfig(z.object(nodeVariables), { ...environment, ...more })).ipfs

function mistakesOf(more: Environment): string[] {
  try {
    backendOf(more)
    return []
  } catch (error) {
    return (error as ConfigError).mistakes.map(({ variable }) => variable)
  }
}

describe('what keeps the blocks of a node', () => {
  test('is this process, unless another is named', () => {
    expect(backendOf({ LIBP2P_PORT: '4001' })).toMatchObject({ backend: 'embedded' })
  })

  test('is reached by peers at a port, also when it is a Kubo', () => {
    expect(mistakesOf({})).toEqual(['LIBP2P_PORT'])
    expect(mistakesOf({ IPFS_BACKEND: 'kubo' })).toEqual(['LIBP2P_PORT'])
  })

  test('is a Kubo at its usual place, or where it is said to be', () => {
    const usual = { IPFS_BACKEND: 'kubo', LIBP2P_PORT: '4001' }
    expect(backendOf(usual)).toMatchObject({ apiUrl: 'http://127.0.0.1:5001' })
    const secret = join(directory, 'secret')
    writeFileSync(secret, 'bearer:words', { mode: 0o600 })
    expect(
      backendOf({
        ...{ ...usual, IPFS_API_URL: 'https://kubo.example', IPFS_API_SECRET_FILE: secret },
        LIBP2P_ANNOUNCE: '/dns4/kubo.example/tcp/4001',
      }),
    ).toEqual({
      backend: 'kubo',
      apiUrl: 'https://kubo.example',
      apiSecretFile: secret,
      listen: { host: '127.0.0.1', port: 4001 },
      announce: ['/dns4/kubo.example/tcp/4001'],
    })
  })

  test('takes no password in a URL and no secret that others can read', () => {
    const secret = join(directory, 'shared')
    writeFileSync(secret, 'bearer:words', { mode: 0o644 })
    expect(
      mistakesOf({
        ...{ IPFS_BACKEND: 'kubo', LIBP2P_PORT: '4001', IPFS_API_URL: 'http://user:word@kubo.example' },
        IPFS_API_SECRET_FILE: secret,
      }).sort(),
    ).toEqual(['IPFS_API_SECRET_FILE', 'IPFS_API_URL'])
    expect(mistakesOf({ IPFS_BACKEND: 'memory', LIBP2P_PORT: '4001' })).toEqual(['IPFS_BACKEND'])
  })
})

describe('what an operator refuses', () => {
  const takedownsOf = (more: Environment) =>
    nodeConfig(loadConfig(z.object(nodeVariables), { ...environment, LIBP2P_PORT: '4001', ...more }))
      .takedowns

  test('is nothing, unless it says whose notices it honours, and where its lists are', () => {
    expect(takedownsOf({})).toEqual({ honoured: [], directory: undefined })
    const office = `0x${'cd'.repeat(20)}`
    expect(takedownsOf({ HONOUR_NOTICES_OF: ` ${office} `, DENYLIST_DIRECTORY: '/etc/denylists' })).toEqual({
      honoured: [office],
      directory: '/etc/denylists',
    })
    expect(mistakesOf({ LIBP2P_PORT: '4001', HONOUR_NOTICES_OF: 'an office' })).toEqual(['HONOUR_NOTICES_OF'])
  })
})

describe('what an operator asks of those who pay', () => {
  const tillOf = (more: Environment) =>
    nodeConfig(loadConfig(z.object(nodeVariables), { ...environment, LIBP2P_PORT: '4001', ...more })).till

  test('has to be told what its token is worth where there are payments, zero too', () => {
    const network = { payments: {} }
    expect(() => tillTermsOn(network, tillOf({}))).toThrow(/TILL_TOKEN_WEI: is not set.* 333000000 /)
    expect(tillTermsOn(network, tillOf({ TILL_TOKEN_WEI: '0' })).weiPerUnit).toBe(0n)
    expect(tillTermsOn({}, tillOf({})).weiPerUnit).toBe(0n)
  })

  test('is nothing beyond what tracks ask, and all is redeemed before announced terms come into force, unless it says so', () => {
    const dayMs = 24 * 3_600_000
    expect(tillOf({})).toEqual({
      ...{
        leastNodeBps: 0,
        previewUnits: 0,
        redeemEveryMs: 6 * dayMs,
        weiPerUnit: undefined,
        leastPurchase: 10_000n,
        freeBytesPerSecond: 0,
      },
    })
    expect(
      tillOf({ TILL_LEAST_NODE_BPS: '800', TILL_REDEEM_HOURS: '24', TILL_TOKEN_WEI: '330000000' }),
    ).toMatchObject({ leastNodeBps: 800, redeemEveryMs: dayMs, weiPerUnit: 330_000_000n })
    expect(tillOf({ TILL_REDEEM_HOURS: '144' }).redeemEveryMs).toBe(6 * dayMs)
    expect(mistakesOf({ LIBP2P_PORT: '4001', TILL_REDEEM_HOURS: '145' })).toEqual(['TILL_REDEEM_HOURS'])
    expect(mistakesOf({ LIBP2P_PORT: '4001', TILL_TOKEN_WEI: 'a lot', TILL_PREVIEW_UNITS: '101' })).toEqual([
      'TILL_PREVIEW_UNITS',
      'TILL_TOKEN_WEI',
    ])
  })
})
