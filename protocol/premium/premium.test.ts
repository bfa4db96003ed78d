import { describe, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import { subjectOf } from '../names/index.ts'
import {
  DecryptError,
  decryptSegment,
  encryptedLength,
  encryptSegment,
  newTrackSecret,
  openSecret,
  publicKeyOf,
  renditionSalt,
  SealedSecretError,
  sealSecret,
  segmentIv,
  segmentKey,
} from './index.ts'

const secret = Uint8Array.from({ length: 32 }, (_, i) => i)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

describe('keys of a premium track', () => {
  test('are the same on every machine', () => {
    const salt = renditionSalt(secret, 'aac-160 encode')
    expect(salt).toBe('0x35df32a7c74ff2df24a86b227d042482')
    expect(hex(segmentKey(secret, salt, 0).key)).toBe('c5896107ef272aa70d1c874835e35955')
    expect(hex(segmentKey(secret, salt, 0).iv)).toBe('4f257d3a2f10dc3d8970c8fdefc8fc5b')
    expect(hex(segmentKey(secret, salt, 11_999).key)).toBe('5553cadd741ceb7087c050ed45fc519f')
  })

  test('differ by secret, by rendition and by place', () => {
    const other = newTrackSecret((bytes) => crypto.getRandomValues(bytes))
    const keys = [secret, other].flatMap((each) =>
      ['aac-160 encode', 'aac-160 copy', 'flac encode'].flatMap((name) =>
        [0, 1, 255, 256, 65_536].map((index) => hex(segmentKey(each, renditionSalt(each, name), index).key)),
      ),
    )
    expect(new Set(keys).size).toBe(keys.length)
  })

  test('have vectors that those who write playlists know without the secret', () => {
    const salt = renditionSalt(secret, 'flac encode')
    expect(segmentIv(salt, 7)).toEqual(segmentKey(secret, salt, 7).iv)
    expect(segmentIv(salt, 7)).not.toEqual(segmentIv(salt, 8))
  })
})

describe('a segment', () => {
  test('comes back as it was, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(12_000), async (bytes, index) => {
        const key = segmentKey(secret, renditionSalt(secret, 'any'), index)
        const encrypted = await encryptSegment(bytes, key)
        expect(encrypted.length).toBe(encryptedLength(bytes.length))
        expect(await decryptSegment(encrypted, key)).toEqual(bytes)
      }),
      { numRuns: 50 },
    )
  })

  test('is encrypted as OpenSSL does it', async () => {
    const { createCipheriv } = await import('node:crypto')
    const bytes = Buffer.from('six seconds of sound')
    const { key, iv } = segmentKey(secret, renditionSalt(secret, 'any'), 3)
    const cipher = createCipheriv('aes-128-cbc', key, iv)
    const theirs = Buffer.concat([cipher.update(bytes), cipher.final()])
    expect(Buffer.from(await encryptSegment(bytes, { key, iv }))).toEqual(theirs)
  })

  test('does not open with the key of another', async () => {
    const salt = renditionSalt(secret, 'any')
    const { key } = segmentKey(secret, salt, 0)
    const encrypted = await encryptSegment(new Uint8Array(1000), segmentKey(secret, salt, 1))
    await expect(decryptSegment(encrypted, { key, iv: segmentIv(salt, 1) })).rejects.toThrow(DecryptError)
    await expect(decryptSegment(encrypted.subarray(1), { key, iv: segmentIv(salt, 1) })).rejects.toThrow(
      'does not open',
    )
  })
})

describe('a secret on its way to a node', () => {
  const node = new Wallet(`0x${'17'.repeat(32)}`)
  const subject = subjectOf(`0x${'ab'.repeat(20)}`, 7n)
  const { publicKey } = node.signingKey
  const random = (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes)
  const sealed = sealSecret(secret, { subject, publicKey }, random)

  test('opens with the key of the node, and each time looks different', () => {
    expect(openSecret(sealed, { subject, privateKey: node.privateKey })).toEqual(secret)
    expect(sealSecret(secret, { subject, publicKey }, random)).not.toBe(sealed)
  })

  test('can be sealed to whoever has signed something', () => {
    const digest = `0x${'42'.repeat(32)}` as const
    const found = publicKeyOf(digest, node.signingKey.sign(digest).serialized)
    const again = sealSecret(secret, { subject, publicKey: found }, random)
    expect(openSecret(again, { subject, privateKey: node.privateKey })).toEqual(secret)
  })

  test('opens for no other node, no other track, and not when a bit of it has changed', () => {
    const { privateKey } = node
    const other = Wallet.createRandom().privateKey
    const elsewhere = subjectOf(`0x${'ab'.repeat(20)}`, 8n)
    expect(() => openSecret(sealed, { subject, privateKey: other })).toThrow(SealedSecretError)
    expect(() => openSecret(sealed, { subject: elsewhere, privateKey })).toThrow(SealedSecretError)
    for (const at of [5, 40, 100, 160]) {
      const digit = sealed[at] === '0' ? '1' : '0'
      const changed = sealed.slice(0, at) + digit + sealed.slice(at + 1)
      expect(() => openSecret(changed, { subject, privateKey })).toThrow(SealedSecretError)
    }
    for (const text of ['', '0x', sealed.slice(0, -2), `${sealed}00`]) {
      expect(() => openSecret(text, { subject, privateKey })).toThrow('this is no sealed secret')
    }
  })
})
