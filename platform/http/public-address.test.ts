import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { isPublicAddress, type LookupAll, publicLookup } from './public-address.ts'

describe('isPublicAddress', () => {
  test.each(['1.1.1.1', '93.184.216.34', '2606:4700:4700::1111', '::ffff:1.1.1.1', '2002:101:101::1'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )

  test.each([
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['loopback', '::1'],
    ['unspecified', '0.0.0.0'],
    ['unspecified', '::'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '192.168.1.1'],
    ['unique local', 'fd00::1'],
    ['link-local, where clouds keep their secrets', '169.254.169.254'],
    ['link-local', 'fe80::1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['multicast', '224.0.0.1'],
    ['multicast', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['documentation', '192.0.2.1'],
    ['documentation', '2001:db8::1'],
    ['benchmarking', '198.18.0.1'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped private', '::ffff:10.0.0.1'],
    ['IPv4-compatible loopback', '::127.0.0.1'],
    ['NAT64 private', '64:ff9b::a00:1'],
    ['6to4 private', '2002:a00:1::1'],
    ['Teredo', '2001::1'],
    ['no address', 'localhost'],
    ['no address', ''],
  ])('%s: %s is not', (_, address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test('an address in 10/8 stays private under every way of writing it into IPv6', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffff }), (rest) => {
        const hex = (0x0a000000 + rest).toString(16).padStart(8, '0')
        const groups = `${hex.slice(0, 4)}:${hex.slice(4)}`
        for (const address of [
          `::ffff:${groups}`,
          `64:ff9b::${groups}`,
          `2002:${groups}::1`,
          `::ffff:0:${groups}`,
        ]) {
          expect(isPublicAddress(address)).toBe(false)
        }
      }),
    )
  })
})

describe('the look-up of a guarded socket', () => {
  function resolve(...addresses: string[]): LookupAll {
    return (_, __, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      )
  }

  function lookUp(lookupAll: LookupAll, all: boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      publicLookup(lookupAll)('node.example', { all }, (error, address) =>
        error ? reject(error) : resolve(address),
      )
    })
  }

  test('gives the socket the public addresses of a name and no others', async () => {
    const mixed = resolve('10.0.0.1', '1.1.1.1', '127.0.0.1', '8.8.8.8')
    expect(await lookUp(mixed, true)).toEqual([
      { address: '1.1.1.1', family: 4 },
      { address: '8.8.8.8', family: 4 },
    ])
    expect(await lookUp(mixed, false)).toBe('1.1.1.1')
  })

  test('asks once per connection: a name that changes its mind gains nothing', async () => {
    let asked = 0
    const rebinding: LookupAll = (name, options, callback) => {
      asked += 1
      resolve(asked === 1 ? '1.1.1.1' : '169.254.169.254')(name, options, callback)
    }
    expect(await lookUp(rebinding, false)).toBe('1.1.1.1')
    await expect(lookUp(rebinding, false)).rejects.toThrow('node.example resolves to no public address')
    expect(asked).toBe(2)
  })

  test('passes on that a name is not there', async () => {
    const missing: LookupAll = (_, __, callback) => callback(new Error('ENOTFOUND'), [])
    await expect(lookUp(missing, true)).rejects.toThrow('ENOTFOUND')
  })
})
