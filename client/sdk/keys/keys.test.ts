import { describe, expect, test } from '@jest/globals'
import {
  accountOf,
  createKey,
  decryptKey,
  encryptKey,
  KeyError,
  keyFromPrivateKey,
  keyFromWords,
} from './index.ts'

// The first account that every wallet shows for the phrase of development chains.
const words = 'test test test test test test test test test test test junk'
const address = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266'
const privateKey = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'

describe('a key', () => {
  test('is made with 12 words that give it again', () => {
    const key = createKey()
    expect(key.words?.split(' ')).toHaveLength(12)
    expect(keyFromWords(key.words ?? '')).toMatchObject({ address: key.address, privateKey: key.privateKey })
    expect(createKey().address).not.toBe(key.address)
  })

  test('has the address that other wallets find', () => {
    expect(keyFromWords(words)).toMatchObject({ address, privateKey, words })
    expect(keyFromPrivateKey(privateKey)).toMatchObject({ address })
    expect(keyFromWords(`  ${words.toUpperCase().replaceAll(' ', '\n ')} `).address).toBe(address)
  })

  test.each([
    ['a misspelt word', words.replace('junk', 'jump')],
    ['a missing word', words.slice(5)],
    ['nothing', ''],
  ])('is not made of words with %s', (_, wrong) => {
    expect(() => keyFromWords(wrong)).toThrow(KeyError)
  })

  test('a wrong private key is not repeated in the error', () => {
    const failure = (() => {
      try {
        return keyFromPrivateKey(`${privateKey}00`)
      } catch (error) {
        return error
      }
    })()
    expect(failure).toBeInstanceOf(KeyError)
    expect(String(failure)).not.toContain(privateKey.slice(2, 20))
    expect((failure as Error).cause).toBeUndefined()
  })

  test('survives encryption, with its words', async () => {
    const progress: number[] = []
    const json = await encryptKey(keyFromWords(words), 'correct horse', (part) => progress.push(part))
    expect(JSON.parse(json)).toMatchObject({ version: 3, Crypto: { kdf: 'scrypt' } })
    expect(json).not.toContain('junk')
    expect(progress.at(-1)).toBe(1)
    await expect(decryptKey(json, 'correct horse')).resolves.toMatchObject({ address, privateKey, words })
    const wrong = await decryptKey(json, 'correct house').catch((error: unknown) => error)
    expect(wrong).toMatchObject({ name: 'KeyError', message: 'the password is wrong' })
  }, 20_000)

  test('without words survives encryption too', async () => {
    const json = await encryptKey(keyFromPrivateKey(privateKey), 'correct horse')
    const opened = await decryptKey(json, 'correct horse')
    expect(opened).toMatchObject({ address, privateKey })
    expect(opened.words).toBeUndefined()
  }, 20_000)

  test('wants a password of some length', async () => {
    await expect(encryptKey(createKey(), 'short')).rejects.toThrow('8 characters')
  })

  test.each(['{}', 'not json', '{"version":4}'])('is not opened from %s', async (json) => {
    await expect(decryptKey(json, 'correct horse')).rejects.toThrow('this is no key file')
  })

  test('can stay in a wallet that only signs', async () => {
    const { signer } = keyFromWords(words)
    const wallet = { getAddress: () => signer.getAddress(), signTypedData: signer.signTypedData }
    await expect(accountOf(wallet)).resolves.toEqual({ address, signer: wallet })
  })
})
