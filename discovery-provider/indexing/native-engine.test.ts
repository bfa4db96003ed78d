import { javaScriptEngine } from '@hexachord/protocol/engine'
import type { Address, Hash } from '@hexachord/protocol/names'
import {
  digestOf,
  domainOf,
  type Recover,
  SignatureError,
  signerOf,
  signMessage,
} from '@hexachord/protocol/signing'
import { describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import { loadNativeEngine } from './native-engine.ts'

const engine = await loadNativeEngine()
const engineWithoutBinary = await loadNativeEngine(() => {
  throw new Error('there is none for this platform')
})
const domain = domainOf({ chainId: 31_337, contracts: { catalog: `0x${'ca'.repeat(20)}` } })
const wallet = new Wallet(`0x${'17'.repeat(32)}`)
const message = { account: wallet.address.toLowerCase() as Address, audience: 'ut', expiresAt: 5 }

function hashOf(bytes: Uint8Array): Hash {
  return `0x${Buffer.from(bytes).toString('hex')}`
}

function outcome(signature: string, recover?: Recover): string {
  try {
    return signerOf(domain, 'Token', message, signature, recover)
  } catch (error) {
    if (error instanceof SignatureError) return 'malformed'
    throw error
  }
}

describe('the native engine', () => {
  test('hashes as the one in JavaScript does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.string({ unit: 'grapheme' }), (bytes, text) => {
        expect(engine.keccak256(bytes)).toBe(javaScriptEngine.keccak256(bytes))
        expect(engine.sha256(bytes)).toBe(javaScriptEngine.sha256(bytes))
        expect(engine.sha256(text)).toBe(javaScriptEngine.sha256(text))
        const digits = Buffer.from(bytes).toString('hex')
        expect([...engine.bytesOf(digits)]).toEqual([...javaScriptEngine.bytesOf(digits)])
      }),
    )
  })

  test('makes the same digest of what is signed', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hashOf)
    const receipt = fc.record({
      operator: hash.map((hash): Address => `0x${hash.slice(-40)}`),
      ...{ subject: hash, manifest: hash, storageRoot: hash },
      ...{ leafCount: number, byteLength: number, blockNumber: number, validUntil: number },
    })
    fc.assert(
      fc.property(receipt, fc.string({ unit: 'grapheme' }), (receipt, audience) => {
        expect(digestOf(domain, 'Receipt', receipt, engine)).toBe(digestOf(domain, 'Receipt', receipt))
        const token = { ...message, audience }
        expect(digestOf(domain, 'Token', token, engine)).toBe(digestOf(domain, 'Token', token))
      }),
    )
  })

  test.each([
    ['compiled', engine],
    ['by WebAssembly', engineWithoutBinary],
  ])('finds the same signer %s, however the signature is damaged', async (_, engine) => {
    const signature = await signMessage(wallet, domain, 'Token', message)
    expect(outcome(signature, engine.recover)).toBe(message.account)
    const order = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
    const strange = ['0'.repeat(64), `${'0'.repeat(63)}5`, order, 'f'.repeat(64)].flatMap((word) => [
      `0x${word}${signature.slice(66)}`,
      `${signature.slice(0, 66)}${word}${signature.slice(130)}`,
    ])
    const otherV = `${signature.slice(0, -2)}${signature.endsWith('1b') ? '1c' : '1b'}`
    for (const text of [...strange, otherV]) expect(outcome(text, engine.recover)).toBe(outcome(text))
    const damaged = fc.tuple(fc.nat(64), fc.nat(255)).map(([at, byte]) => {
      const bytes = Buffer.from(signature.slice(2), 'hex')
      bytes[at] = byte
      return `0x${bytes.toString('hex')}`
    })
    fc.assert(
      fc.property(damaged, (text) => expect(outcome(text, engine.recover)).toBe(outcome(text))),
      { numRuns: 40 },
    )
  })
})
