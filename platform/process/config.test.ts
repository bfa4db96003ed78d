import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { z } from 'zod'
import { ConfigError, loadConfig } from './config.ts'
import {
  accountAddress,
  byteSize,
  commaList,
  flag,
  httpUrl,
  origin,
  portNumber,
  serverVariables,
} from './variables.ts'

function mistakesOf(work: () => unknown) {
  try {
    work()
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes
    throw error
  }
  throw new Error('the configuration was accepted')
}

describe('loadConfig', () => {
  test('gives typed values and defaults', () => {
    const schema = z.object({
      PORT: portNumber,
      OPEN: flag.default(false),
      SIZE: byteSize,
      LATER: portNumber.optional(),
    })
    expect(loadConfig(schema, { PORT: '4600', SIZE: '20GiB', UNRELATED: 'x' })).toEqual({
      PORT: 4600,
      OPEN: false,
      SIZE: 20 * 2 ** 30,
    })
  })

  test('lists every mistake at once, each under its variable', () => {
    const schema = z.object({ PORT: portNumber, PUBLIC_URL: origin, OPEN: flag, DATA_DIR: z.string() })
    expect(
      mistakesOf(() => loadConfig(schema, { PORT: '70000', PUBLIC_URL: 'ftp://x', OPEN: 'yes' })),
    ).toEqual([
      { variable: 'PORT', problem: 'must be a whole number from 0 to 65535' },
      { variable: 'PUBLIC_URL', problem: expect.stringContaining('must be an origin') },
      { variable: 'OPEN', problem: 'must be true or false' },
      { variable: 'DATA_DIR', problem: 'is not set' },
    ])
  })

  test('shows the list in its message, as an operator will read it', () => {
    const error = new ConfigError([
      { variable: 'PORT', problem: 'is not set' },
      { variable: 'HOST', problem: 'is not set' },
    ])
    expect(error.message).toBe('The configuration is not usable:\n  PORT: is not set\n  HOST: is not set')
  })

  test('takes an empty variable for one that is not set', () => {
    expect(mistakesOf(() => loadConfig(z.object({ PORT: portNumber }), { PORT: ' ' }))).toEqual([
      { variable: 'PORT', problem: 'is not set' },
    ])
  })

  test('reads what every server is told', () => {
    const config = loadConfig(z.object(serverVariables), {
      PORT: '4620',
      PUBLIC_URL: 'https://Node.Example:443',
      DATA_DIR: 'data',
      RPC_URL: 'http://127.0.0.1:4640',
      NETWORK_FILE: 'network.json',
    })
    expect(config).toMatchObject({
      HOST: '127.0.0.1',
      PUBLIC_URL: 'https://node.example',
      LOG_LEVEL: 'info',
      ALLOW_PRIVATE_ADDRESSES: false,
    })
  })
})

describe('the kinds of variable', () => {
  test.each([
    ['1048576', 1_048_576],
    ['500MB', 500_000_000],
    ['2 GiB', 2_147_483_648],
    ['3kb', 3_000],
  ])('the size %s is %d bytes', (text, bytes) => {
    expect(byteSize.parse(text)).toBe(bytes)
  })

  test.each(['', '-1', '1.5GB', '10 parsecs', '99999999999TB'])('%p is no size', (text) => {
    expect(byteSize.safeParse(text).success).toBe(false)
  })

  test.each([
    'https://a.example/path',
    'https://a.example/?q',
    'https://user:pw@a.example',
    'a.example',
    'ws://a.example',
  ])('%s is no origin', (text) => {
    expect(origin.safeParse(text).success).toBe(false)
  })

  test('an http URL may have path, query and password', () => {
    expect(httpUrl.parse('https://user:pw@rpc.example/v2/key?x=1')).toBe(
      'https://user:pw@rpc.example/v2/key?x=1',
    )
  })

  test('a comma list drops spaces and empty items and checks each item', () => {
    expect(commaList(origin).parse(' https://a.example , ,https://b.example/')).toEqual([
      'https://a.example',
      'https://b.example',
    ])
    expect(commaList(origin).safeParse('https://a.example,nonsense').success).toBe(false)
  })

  test('an address with a wrong check sum is refused, one without gets its own', () => {
    const right = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'
    expect(accountAddress.parse(right.toLowerCase())).toBe(right)
    expect(accountAddress.safeParse(right.replace('f39F', 'F39F')).success).toBe(false)
  })

  test('every port number, and only those, are ports', () => {
    fc.assert(
      fc.property(fc.integer({ min: -10, max: 70_000 }), (number) => {
        expect(portNumber.safeParse(String(number)).success).toBe(number >= 0 && number <= 65_535)
      }),
    )
  })
})
