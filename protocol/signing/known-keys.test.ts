import { describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import type { Address } from '../names/index.ts'
import { domainOf, SignatureError, signerOf, signMessage } from './index.ts'
import { recoverExpecting } from './known-keys.ts'

const domain = domainOf({ chainId: 31_337, contracts: { catalog: `0x${'ca'.repeat(20)}` } })
const wallet = new Wallet(`0x${'17'.repeat(32)}`)
const address = wallet.address.toLowerCase() as Address
const message = { account: address, audience: 'https://node.example', expiresAt: 5 }

function outcome(signature: string, expected?: Address): string {
  try {
    return signerOf(domain, 'Token', message, signature, expected && recoverExpecting(expected))
  } catch (error) {
    if (error instanceof SignatureError) return 'malformed'
    throw error
  }
}

describe('a signature whose signer is expected', () => {
  test('gives the same signer as any other, however it is damaged', async () => {
    const signature = await signMessage(wallet, domain, 'Token', message)
    // The first time it is recovered, then the key is known.
    for (let time = 0; time < 2; time++) expect(outcome(signature, address)).toBe(address)
    const hex = (byte: number) => byte.toString(16).padStart(2, '0')
    const damaged = fc
      .tuple(fc.nat(64), fc.nat(255))
      .map(([at, byte]) => `${signature.slice(0, 2 + 2 * at)}${hex(byte)}${signature.slice(4 + 2 * at)}`)
    const otherV = `${signature.slice(0, -2)}${signature.endsWith('1b') ? '1c' : '1b'}`
    const zeroR = `0x${'0'.repeat(64)}${signature.slice(66)}`
    for (const text of [otherV, zeroR]) expect(outcome(text, address)).toBe(outcome(text))
    fc.assert(
      fc.property(damaged, (text) => expect(outcome(text, address)).toBe(outcome(text))),
      { numRuns: 40 },
    )
  })

  test('is that of another message when it is for another one', async () => {
    const signature = await signMessage(wallet, domain, 'Token', { ...message, expiresAt: 6 })
    expect(outcome(signature, address)).toBe(outcome(signature))
    expect(outcome(signature, address)).not.toBe(address)
  })
})
