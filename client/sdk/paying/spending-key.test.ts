import { paymentDomains } from '@hexachord/protocol/payments'
import { signerOf } from '@hexachord/protocol/signing'
import { describe, expect, test } from '@jest/globals'
import { account, paymentsNetwork } from '../fixtures/index.ts'
import { keyFromPrivateKey, keyFromWords } from '../keys/index.ts'
import { authorizeSpending, spendingKey } from './index.ts'

const words = 'test test test test test test test test test test test junk'

describe('a spending key', () => {
  test('is the second account of the words, where other wallets find it, too', () => {
    expect(spendingKey(keyFromWords(words)).address).toBe('0x8c8d35429f74ec245f8ef2f4fd1e551cff97d650')
  })

  test('of a key without words is the same each time, and not that key', () => {
    const key = keyFromPrivateKey(keyFromWords(words).privateKey)
    const spending = spendingKey(key)
    expect(spending.address).toBe(spendingKey(key).address)
    expect(spending.address).not.toBe(key.address)
    expect(spending.address).not.toBe(spendingKey(keyFromWords(words)).address)
  })

  test('can be a session key that an account authorizes by one signature', async () => {
    const { escrow } = paymentDomains(paymentsNetwork)
    const { address: key } = spendingKey(account)
    const { signature, ...message } = await authorizeSpending(account, escrow, {
      ...{ key, cap: 1_000n, expiry: 1_900_000_000 },
    })
    expect(signerOf(escrow, 'Session', message, signature)).toBe(account.address)
  })
})
